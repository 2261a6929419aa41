//go:build faults && linux

// Package faults does to a relay's store what happens to machines: power cuts,
// kills, full disks and clocks that leap. Afterwards it looks for everything that
// was acknowledged. Each test has a control, a store or sender that does one thing
// wrong, in which the same look must find the damage: a test that passes both
// proves nothing.
//
// A power cut is EXT4_IOC_SHUTDOWN on a file system in a loop device: what the
// kernel had not written is gone. Power cuts and file systems in memory take root;
// others are told what was skipped.
package faults

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

const (
	roleVar   = "RESTANTE_FAULTS_ROLE" // what this process is; empty in the first one
	roleTests = "tests"                // runs the tests, with mounts of its own
	roleChild = "child"                // delivers until it is killed

	roleLocksmith = "locksmith" // changes passwords and keys until it is killed
)

// TestMain runs the tests in a mount name space of their own if it may, so that
// nothing stays mounted however they end.
func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case roleTests:
		os.Exit(m.Run())
	case roleChild:
		fmt.Fprintln(os.Stderr, runChild())
		os.Exit(1)
	case roleLocksmith:
		fmt.Fprintln(os.Stderr, runLocksmith())
		os.Exit(1)
	}
	if os.Getuid() != 0 {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVar+"="+roleTests)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests in a mount name space:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// needRoot skips a test that needs file systems of its own.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getenv(roleVar) != roleTests {
		t.Skip("this takes a file system of its own, which only root can mount: run make faults as root")
	}
}
