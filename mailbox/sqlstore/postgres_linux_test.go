package sqlstore

import "syscall"

// dieWithParent has a server end if the tests are killed.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
