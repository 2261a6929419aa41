//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// nobody is the user that the processes here run as: of a user's process that may be
// looked into, /proc belongs to the user, else to root (proc(5)).
const nobody = 65534

// TestServeIsHardened: a relay that serves writes no core, and its memory is closed to
// other processes of its user. A process that does nothing for it is the control.
func TestServeIsHardened(t *testing.T) {
	t.Parallel()
	control := exec.Command("sleep", "600")
	control.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if err := control.Start(); err != nil {
		t.Fatalf("start a process as another user (this takes root): %v", err)
	}
	t.Cleanup(func() {
		_ = control.Process.Kill()
		_ = control.Wait()
	})
	if owner := procOwner(t, control.Process.Pid); owner != nobody {
		t.Fatalf("/proc of the control belongs to %d, want %d: the test would see nothing", owner, nobody)
	}
	r, _ := serveOneAs(t, nobody)
	if owner := procOwner(t, r.PID); owner != 0 {
		t.Errorf("/proc of the relay belongs to %d: others can read its memory", owner)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", r.PID))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("the relay may write a core:\n%s", limits)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t%[1]d\t", nobody)) {
		t.Errorf("the relay does not run as %d:\n%s", nobody, status)
	}
}

// procOwner returns whose the files are that the system shows of a process.
func procOwner(t *testing.T, pid int) uint32 {
	t.Helper()
	info, err := os.Stat(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// giveTo makes a new folder of a user's, with a copy of the program in it.
func giveTo(t *testing.T, uid int) (dir, program string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "restante-user")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile(binary(t))
	must(t, err)
	program = dir + "/restante"
	must(t, os.WriteFile(program, b, 0o755))
	must(t, os.Chown(dir, uid, uid))
	return dir, program
}
