//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// playwrightVersion is the release of the library that drives Chromium.
const playwrightVersion = "1.56.1"

// TestPages signs up and opens the account page in Chromium, in a window of a phone's
// size and with the keyboard alone, with JavaScript and without. On every page each
// field must have a label and each text enough contrast, and nothing may stick out.
func TestPages(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, script := range []string{"with", "without"} {
		t.Run(script, func(t *testing.T) {
			var faults []string
			if err := json.Unmarshal(browse(t, "pages.mjs", "https://"+r.HTTPS, script), &faults); err != nil {
				t.Fatal(err)
			}
			for _, fault := range faults {
				t.Error(fault)
			}
		})
	}
}

// browse runs a script in Chromium and returns what it prints. `go test -artifacts` keeps
// its pictures.
func browse(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	if _, err := os.Stat(filepath.Join("node_modules", "playwright-core")); err != nil {
		t.Fatalf("playwright-core is needed: npm install --no-save --no-package-lock --prefix test/e2e playwright-core@%s, with the other npm packages of .ci/run in one command",
			playwrightVersion)
	}
	cmd := exec.CommandContext(t.Context(), need(t, "node", "nodejs"), append([]string{script, need(t, "chromium", "chromium"), t.ArtifactDir()}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}
