//go:build unix

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"golang.org/x/sync/errgroup"
)

// signups is how many accounts a script asks for, from so many connections at a time.
var signups = flag.Int64("signups", 10_000, "accounts that BenchmarkSignups asks for")

const signupCrew = 32

// BenchmarkSignups is what others feel of a script that asks for 10,000 accounts: the
// time of an APPEND of 4 KiB, which waits for the writer and the disk as all mail does,
// meanwhile, and alone before and after. With "limits" the relay is as it is configured by
// default and refuses most; without, it makes them all, as if somebody had done the work
// for each. The script runs in the same process, and so takes of the same processors.
func BenchmarkSignups(b *testing.B) {
	for _, tt := range []struct {
		name    string
		options relayOptions
	}{{"limits", relayOptions{}}, {"all", relayOptions{unlimited: true}}} {
		b.Run(tt.name, func(b *testing.B) {
			x := newBenchOn(b, tt.options)
			c := x.reader(b)
			for b.Loop() {
				x.measureSignups(b, c)
			}
		})
	}
}

func (x *bench) measureSignups(b *testing.B, c *imapclient.Client) {
	b.Helper()
	few := func(n int) bool { return n < 1000 }
	alone := x.appends(b, c, few)
	s := x.signUp()
	began := time.Now()
	crowd := x.appends(b, c, s.goesOn)
	if err := s.wait(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(*signups)/time.Since(began).Seconds(), "asked/s")
	alone = append(alone, x.appends(b, c, few)...)
	b.ReportMetric(float64(quantile(alone, 50).Microseconds()), "µs-median-alone")
	b.ReportMetric(float64(quantile(crowd, 50).Microseconds()), "µs-median-crowd")
	b.ReportMetric(float64(quantile(alone, 99).Microseconds()), "µs-p99-alone")
	b.ReportMetric(float64(quantile(crowd, 99).Microseconds()), "µs-p99-crowd")
	b.ReportMetric(float64(quantile(crowd, 99))/float64(quantile(alone, 99)), "ratio")
	b.ReportMetric(float64(s.made.Load()), "made")
	b.ReportMetric(float64(s.refused.Load()), "refused")
}

func quantile(took []time.Duration, percent int) time.Duration {
	slices.Sort(took)
	return took[len(took)*percent/100]
}

// reader logs the first account in.
func (x *bench) reader(b *testing.B) *imapclient.Client {
	b.Helper()
	c, err := imapclient.DialTLS(x.IMAPS, &imapclient.Options{TLSConfig: x.tls})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	if err := c.Login(x.Accounts[0].Address, x.Accounts[0].Password).Wait(); err != nil {
		b.Fatal(err)
	}
	return c
}

// appends stores mails one after another as long as more says so, and returns how long
// each took.
func (x *bench) appends(b *testing.B, c *imapclient.Client, more func(n int) bool) []time.Duration {
	b.Helper()
	var took []time.Duration
	for n := 0; more(n); n++ {
		began := time.Now()
		cmd := c.Append("Sent", int64(len(x.mail)), nil)
		if _, err := cmd.Write(x.mail); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Close(); err != nil {
			b.Fatal(err)
		}
		if _, err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	return took
}

// script asks for accounts.
type script struct {
	asked, made, refused atomic.Int64

	crew errgroup.Group
	done chan struct{} // closed when all were answered
	err  error
}

// goesOn reports whether the script does, or there are too few of n measurements for a p99.
func (s *script) goesOn(n int) bool {
	select {
	case <-s.done:
		return n < 200
	default:
		return true
	}
}

func (s *script) wait() error {
	<-s.done
	return s.err
}

// signUp begins to ask for accounts as chatmail clients do.
func (x *bench) signUp() *script {
	s := &script{done: make(chan struct{})}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: x.tls.Clone(), MaxIdleConnsPerHost: signupCrew}}
	for range signupCrew {
		s.crew.Go(func() error { return s.run(client, "https://"+x.HTTPS+"/new") })
	}
	go func() {
		s.err = s.crew.Wait()
		client.CloseIdleConnections()
		close(s.done)
	}()
	return s
}

// run is one of the crew.
func (s *script) run(client *http.Client, at string) error {
	for s.asked.Add(1) <= *signups {
		code, err := newByScript(client, at)
		switch {
		case err != nil:
			return err
		case code == http.StatusOK:
			s.made.Add(1)
		case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
			s.refused.Add(1)
		default:
			return fmt.Errorf("POST /new: %d", code)
		}
	}
	return nil
}

func newByScript(client *http.Client, at string) (code int, err error) {
	resp, err := client.Post(at, "", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var answer map[string]any
	if resp.StatusCode == http.StatusOK {
		err = json.NewDecoder(resp.Body).Decode(&answer)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	return resp.StatusCode, err
}
