//go:build linux

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/config"
)

// TestQueueCommands: the operator sees what waits and why, without the addresses
// unless they are asked for, and can try it again or drop it.
func TestQueueCommands(t *testing.T) {
	t.Parallel()
	c := newCountry(t, "here.test")
	c.dns.Load(t, "down.test. 60 MX 10 mx.down.test.\nmx.down.test. 60 A 127.0.0.99\n")
	anna := c.citizen(t, "anna@here.test")
	to := anna
	to.Address = addr.MustParse("zoe@down.test")
	anna.write(t, to, "waiting")
	var list, talk string
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(list, "4.4.1"); {
		if time.Now().After(deadline) {
			t.Fatalf("no attempt was made:\n%s%s", list, talk)
		}
		list, talk, _ = c.command(t, "here.test", "queue", "list")
	}
	id, _, _ := strings.Cut(strings.Split(list, "\n")[1], " ")
	for _, step := range []struct {
		name, want string
		args       []string
		code       int
	}{
		{"list", "zoe@down.test", []string{"list", "--addresses"}, 0},
		{"show", "attempts:      1", []string{"show", id}, 0},
		{"show addresses", "<anna@here.test>", []string{"show", id, "--addresses"}, 0},
		{"why", "recipient 1: 4.4.1 the server refuses connections", []string{"why", id}, 0},
		{"why with addresses", "zoe@down.test: 4.4.1", []string{"why", id, "--addresses"}, 0},
		{"retry", "is due now", []string{"retry", id}, 0},
		{"retry all", "1 messages are due now", []string{"retry", "--all"}, 0},
		{"retry what", "one message", []string{"retry"}, 2},
		{"drop", "is gone", []string{"drop", id}, 0},
		{"drop again", "no message " + id, []string{"drop", id}, 1},
		{"a word that is no id", "not the number", []string{"why", "!"}, 1},
	} {
		out, talk, code := c.command(t, "here.test", append([]string{"queue"}, step.args...)...)
		if code != step.code || !strings.Contains(out+talk, step.want) {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s%s", step.name, code, step.code, step.want, out, talk)
		}
		shown := strings.Contains(out+talk, "zoe") || strings.Contains(out+talk, "anna")
		if asked := strings.Contains(strings.Join(step.args, " "), "--addresses"); shown != asked {
			t.Errorf("%s: shows addresses: %v, want %v:\n%s%s", step.name, shown, asked, out, talk)
		}
	}
}

// TestStatus: ten lines say how the relay is doing, whether it runs or not, and that
// nobody answers on the port of other servers.
func TestStatus(t *testing.T) {
	t.Parallel()
	c := newCountry(t, "here.test")
	anna := c.citizen(t, "anna@here.test")
	for _, domain := range []string{"one.test", "two.test", "three.test"} {
		c.dns.Load(t, domain+". 60 MX 10 mx."+domain+".\nmx."+domain+". 60 A 127.0.0.99\n")
		to := anna
		to.Address = addr.MustParse("zoe@" + domain)
		anna.write(t, to, "waiting")
	}
	status := ""
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(status, "seems to be blocked"); {
		if time.Now().After(deadline) {
			t.Fatalf("the status does not say that the port is blocked:\n%s", status)
		}
		out, talk, _ := c.command(t, "here.test", "status")
		status = out + talk
	}
	for _, want := range []string{"here.test, running since", "accounts     1, with 0 messages", "3 messages waiting to go to 3 domains", "DKIM keys e", "by the relay's own authority"} {
		if !strings.Contains(status, want) {
			t.Errorf("there is no %q in\n%s", want, status)
		}
	}
	if n := strings.Count(status, "\n"); n != 10 || strings.Contains(status, "anna") || strings.Contains(status, "zoe") {
		t.Errorf("want ten lines and no names:\n%s", status)
	}
	offline, err := direct{c.relays["here.test"].service, "here.test"}.do(t.Context(), adminRequest{Op: opStatus})
	if err != nil || !strings.Contains(offline.Text, "which does not run") {
		t.Errorf("without a relay: %v\n%s", err, offline.Text)
	}
}

// TestTwoRelays: people of two relays write to each other, over TLS that is checked,
// and who writes to nobody hears of it.
func TestTwoRelays(t *testing.T) {
	t.Parallel()
	c := newCountry(t, "here.test", "there.test")
	anna, zoe := c.citizen(t, "anna@here.test"), c.citizen(t, "zoe@there.test")
	anna.write(t, zoe, "question")
	if got := zoe.read(t, anna); got.Subject != "question" {
		t.Errorf("got %q", got.Subject)
	}
	zoe.write(t, anna, "answer")
	if got := anna.read(t, zoe); got.Subject != "answer" {
		t.Errorf("got %q", got.Subject)
	}
	nobody := zoe
	nobody.Address = addr.MustParse("nobody@there.test")
	anna.write(t, nobody, "lost")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	report, err := anna.inbox.Next(ctx)
	if err != nil {
		t.Fatalf("wait for the report: %v", err)
	}
	for _, want := range []string{"multipart/report", "Action: failed", "Status: 5.1.1", "nobody@there.test"} {
		if !bytes.Contains(report, []byte(want)) {
			t.Errorf("the report has no %q in it:\n%s", want, report)
		}
	}
	for _, mark := range []string{"anna", "zoe", "nobody", "127.0.0."} {
		if strings.Contains(c.log.String(), mark) {
			t.Errorf("the log has %q in it:\n%s", mark, c.log.String())
		}
	}
}

// TestOverHTTPS: two relays that can't reach each other's port 25 exchange mail over
// HTTPS.
func TestOverHTTPS(t *testing.T) {
	t.Parallel()
	c := changedCountry(t, func(cfg *config.Config) { cfg.Queue.HTTPS, cfg.Queue.Port = true, 9 }, "here.test", "there.test")
	anna, zoe := c.citizen(t, "anna@here.test"), c.citizen(t, "zoe@there.test")
	anna.write(t, zoe, "question")
	if got := zoe.read(t, anna); got.Subject != "question" {
		t.Errorf("got %q", got.Subject)
	}
	zoe.write(t, anna, "answer")
	if got := anna.read(t, zoe); got.Subject != "answer" {
		t.Errorf("got %q", got.Subject)
	}
}
