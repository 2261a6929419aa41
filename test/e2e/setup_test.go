//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSetup makes a relay as a newcomer does: one command, questions answered at a
// terminal, one of them with what is proposed.
func TestSetup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, data := filepath.Join(dir, "etc", "config.toml"), filepath.Join(dir, "data")
	x := newTerminal(t, os.Environ(), strings.Join([]string{
		binary(t), "setup", "--config", config, "--data-dir", data, "--unit", "''", "--ip", "192.0.2.1; read wait"}, " "))
	x.await("The domain of your addresses")
	x.keys("relay_1", "Enter")
	x.await("is no domain name")
	x.keys("relay.test", "Enter")
	x.await("The name of this machine in the DNS [relay.test]:")
	x.keys("mx.relay.test", "Enter")
	x.await("mail to postmaster and abuse [operator]:")
	x.keys("Enter")
	x.await("to whose terms you agree (yes, no) [yes]:")
	x.keys("nein", "Enter")
	x.await("answer yes or no")
	x.keys("no", "Enter")
	x.await("Enter goes on")
	x.keys("Enter")
	x.await("operator@relay.test made")
	x.await("restante doctor --mail --key-copied --config")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`domain = "relay.test"`, `hostname = "mx.relay.test"`, `operator = "operator@relay.test"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "acme") {
		t.Errorf("certificates are ordered although the answer was no:\n%s", text)
	}
	x.keys("Enter")
	x.awaitEnd()
}

// TestSetupStopped: who presses Ctrl-C at a question is not asked on, and nothing was
// written.
func TestSetupStopped(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "etc", "config.toml")
	x := newTerminal(t, os.Environ(), binary(t)+" setup --config "+config+"; echo the code is $?; read wait")
	x.await("The domain of your addresses")
	x.keys("C-c")
	x.await("the code is 1")
	if _, err := os.Stat(config); !os.IsNotExist(err) {
		t.Errorf("the configuration: %v", err)
	}
	x.keys("Enter")
	x.awaitEnd()
}
