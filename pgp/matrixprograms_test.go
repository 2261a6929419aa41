package pgp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// findProgram returns where a program is, or skips the test and says what to install.
func findProgram(t *testing.T, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: %s", name, install)
	}
	return path
}

// runProgram returns what a program writes to its standard output and error.
func runProgram(t *testing.T, in []byte, env []string, name string, args ...string) (out, errs []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, stderr.Bytes()
}

// newForeignKey reads a key that a program exported.
func newForeignKey(t *testing.T, kind string, armored []byte, writesV2 bool) foreignKey {
	t.Helper()
	k, err := ParseKey(armored, nil)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return foreignKey{kind, armored, k.Cert(), writesV2}
}

// tempFile returns the name of a new file.
func tempFile(t *testing.T, content []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// gpg is GnuPG 2.2, which reads SEIPDv1 and no key of version 6.
type gpg struct{ path, home string }

func findGPG(t *testing.T) program {
	t.Helper()
	path := findProgram(t, "gpg", "apt install gnupg")
	home, err := os.MkdirTemp("", "gpg") // t.TempDir would be too long for the agent's socket
	if err != nil {
		t.Fatal(err)
	}
	g := gpg{path, home}
	t.Cleanup(func() {
		runProgram(t, nil, []string{"GNUPGHOME=" + home}, "gpgconf", "--kill", "all")
		os.RemoveAll(home)
	})
	for _, name := range []string{"classic", "hybrid", "rsa"} {
		g.run(t, readTestKey(t, name).Cert().Armor(), "--import")
	}
	return g
}

func (g gpg) run(t *testing.T, in []byte, args ...string) (out, status []byte) {
	t.Helper()
	args = append([]string{"--batch", "--quiet", "--no-tty", "--status-fd", "2", "--trust-model", "always", "--armor"}, args...)
	return runProgram(t, in, []string{"GNUPGHOME=" + g.home}, g.path, args...)
}

func (g gpg) version(t *testing.T) string {
	t.Helper()
	out, _ := g.run(t, nil, "--version")
	first, _, _ := strings.Cut(string(out), "\n")
	return first
}

func (g gpg) keys(t *testing.T) (keys []foreignKey) {
	t.Helper()
	for kind, algorithm := range map[string]string{"Curve25519": "future-default", "RSA": "rsa3072"} {
		who := strings.ToLower(kind) + "@gpg.example"
		g.run(t, nil, "--passphrase", "", "--quick-generate-key", who, algorithm, "default", "0")
		if kind == "RSA" {
			fpr := g.fingerprint(t, who)
			g.run(t, nil, "--passphrase", "", "--quick-add-key", fpr, "rsa3072", "encr", "0")
		}
		secret, _ := g.run(t, nil, "--export-secret-keys", who)
		keys = append(keys, newForeignKey(t, kind, secret, false))
	}
	return keys
}

func (g gpg) fingerprint(t *testing.T, who string) string {
	t.Helper()
	out, _ := g.run(t, nil, "--with-colons", "--fingerprint", who)
	_, rest, _ := strings.Cut(string(out), "\nfpr:")
	return strings.Trim(strings.SplitN(rest, "\n", 2)[0], ":")
}

func (g gpg) open(t *testing.T, jobs []job) (texts [][]byte) {
	t.Helper()
	for _, j := range jobs {
		text, status := g.run(t, j.in, "--decrypt")
		if want := fmt.Sprintf("VALIDSIG %s", j.certs[0].Fingerprint()); !strings.Contains(strings.ToUpper(string(status)), strings.ToUpper(want)) {
			t.Errorf("%s: no %q in\n%s", j.name, want, status)
		}
		texts = append(texts, text)
	}
	return texts
}

func (g gpg) seal(t *testing.T, jobs []job) (messages [][]byte) {
	t.Helper()
	for _, j := range jobs {
		args := []string{"--encrypt", "--sign", "--local-user", string(j.key.cert.Fingerprint())}
		for _, c := range j.certs {
			args = append(args, "--recipient", string(c.Fingerprint()))
		}
		message, _ := g.run(t, j.in, args...)
		messages = append(messages, message)
	}
	return messages
}

// sop is a program with the Stateless OpenPGP command line (draft-dkg-openpgp-stateless-cli).
type sop struct {
	path string
	env  []string
}

func findSqop(t *testing.T) program {
	t.Helper()
	return sop{path: findProgram(t, "sqop", "apt install sqop")}
}

// findPGPainless asks the virtual machine to start fast.
func findPGPainless(t *testing.T) program {
	t.Helper()
	path := findProgram(t, "pgpainless-cli", "apt install pgpainless-cli")
	return sop{path, []string{"JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"}}
}

func (s sop) version(t *testing.T) string {
	t.Helper()
	out, _ := runProgram(t, nil, s.env, s.path, "version")
	return strings.TrimSpace(string(out))
}

func (s sop) keys(t *testing.T) []foreignKey {
	t.Helper()
	secret, _ := runProgram(t, nil, s.env, s.path, "generate-key", "<bob@sop.example>")
	return []foreignKey{newForeignKey(t, "Curve25519", secret, false)}
}

func (s sop) open(t *testing.T, jobs []job) (texts [][]byte) {
	t.Helper()
	for _, j := range jobs {
		verified := filepath.Join(t.TempDir(), "verified")
		signer := tempFile(t, j.certs[0].Armor())
		text, _ := runProgram(t, j.in, s.env, s.path, "decrypt", "--verify-with="+signer, "--verifications-out="+verified, tempFile(t, j.key.armored))
		list, err := os.ReadFile(verified)
		if err != nil || !strings.Contains(strings.ToUpper(string(list)), strings.ToUpper(string(j.certs[0].Fingerprint()))) {
			t.Errorf("%s: verified %q, %v", j.name, list, err)
		}
		texts = append(texts, text)
	}
	return texts
}

func (s sop) seal(t *testing.T, jobs []job) (messages [][]byte) {
	t.Helper()
	for _, j := range jobs {
		args := []string{"encrypt", "--sign-with=" + tempFile(t, j.key.armored)}
		for _, c := range j.certs {
			args = append(args, tempFile(t, c.Armor()))
		}
		message, _ := runProgram(t, j.in, s.env, s.path, args...)
		messages = append(messages, message)
	}
	return messages
}

// openPGPjs is OpenPGP.js: one process for all messages of a kind, by testdata/openpgp.mjs.
type openPGPjs struct{ node, module string }

// openPGPjsVersion is the one that .ci/run installs.
const openPGPjsVersion = "6.3.2"

func findOpenPGPjs(t *testing.T) program {
	t.Helper()
	install := "apt install nodejs npm; npm install --no-save --prefix test/e2e openpgp@" + openPGPjsVersion
	node := findProgram(t, "node", install)
	module, err := filepath.Abs(filepath.Join("..", "test", "e2e", "node_modules", "openpgp", "dist", "node", "openpgp.min.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(module); err != nil {
		t.Skipf("openpgp.js is not installed: %s", install)
	}
	return openPGPjs{node, module}
}

// call asks the script to do something, and returns its answer in out.
func (o openPGPjs) call(t *testing.T, verb string, in, out any) {
	t.Helper()
	input, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	output, _ := runProgram(t, input, nil, o.node, filepath.Join("testdata", "openpgp.mjs"), o.module, verb)
	if err := json.Unmarshal(output, out); err != nil {
		t.Fatal(err)
	}
}

func (o openPGPjs) version(t *testing.T) string {
	t.Helper()
	var version string
	o.call(t, "version", nil, &version)
	return version
}

func (o openPGPjs) keys(t *testing.T) (keys []foreignKey) {
	t.Helper()
	var made map[string]string
	o.call(t, "keys", nil, &made)
	for kind, armored := range made {
		keys = append(keys, newForeignKey(t, kind, []byte(armored), true))
	}
	return keys
}

// jsJob is a job as the script reads it.
type jsJob struct {
	Name  string   `json:"name"`
	Key   string   `json:"key"`
	Certs []string `json:"certs"`
	In    []byte   `json:"in"`
}

func (o openPGPjs) each(t *testing.T, verb string, jobs []job) (out [][]byte) {
	t.Helper()
	in := make([]jsJob, len(jobs))
	for i, j := range jobs {
		in[i] = jsJob{Name: j.name, Key: string(j.key.armored), In: j.in}
		for _, c := range j.certs {
			in[i].Certs = append(in[i].Certs, string(c.Armor()))
		}
	}
	o.call(t, verb, in, &out)
	return out
}

func (o openPGPjs) open(t *testing.T, jobs []job) [][]byte {
	t.Helper()
	return o.each(t, "open", jobs)
}
func (o openPGPjs) seal(t *testing.T, jobs []job) [][]byte {
	t.Helper()
	return o.each(t, "seal", jobs)
}
