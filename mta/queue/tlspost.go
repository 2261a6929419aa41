package queue

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/internal/addr"
)

// The bounds of the work on reports. One that can't be handed over in time is tried
// again later.
const (
	tlsPostEvery   = 10 * time.Minute
	tlsPostTimeout = 2 * time.Minute
	tlsPosters     = 4
	maxTLSReaders  = 3 // of one domain's reports
)

// A tlsReader is where a domain wants its reports: one of the two.
type tlsReader struct {
	mail addr.Address
	url  string
}

// parseTLSReaders reads the TXT records that ask for reports. Unless exactly one of
// them does, nobody is asked for (RFC 8460, 3).
func parseTLSReaders(texts []string) (all []tlsReader) {
	var asking []string
	for _, text := range texts {
		if version, rest, ok := strings.Cut(text, ";"); ok && strings.TrimSpace(version) == "v=TLSRPTv1" {
			asking = append(asking, rest)
		}
	}
	if len(asking) != 1 {
		return nil
	}
	for field := range strings.SplitSeq(asking[0], ";") {
		list, ok := strings.CutPrefix(strings.TrimSpace(field), "rua=")
		if !ok {
			continue
		}
		for uri := range strings.SplitSeq(list, ",") {
			if r, ok := parseTLSReader(strings.TrimSpace(uri)); ok && len(all) < maxTLSReaders {
				all = append(all, r)
			}
		}
	}
	return all
}

func parseTLSReader(uri string) (tlsReader, bool) {
	u, err := url.Parse(uri)
	if err != nil {
		return tlsReader{}, false
	}
	switch u.Scheme {
	case "https":
		return tlsReader{url: uri}, u.Host != "" && u.User == nil
	case "mailto":
		text, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return tlsReader{}, false
		}
		to, err := addr.Parse(text)
		return tlsReader{mail: to}, err == nil
	}
	return tlsReader{}, false
}

// reportTLS sends what is due, until ctx ends.
func (w *Worker) reportTLS(ctx context.Context) {
	tick := time.NewTicker(tlsPostEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.postTLSReports(ctx)
		}
	}
}

// postTLSReports sends the reports that are due. Which domains they are for is in no
// log.
func (w *Worker) postTLSReports(ctx context.Context) {
	var sent, later atomic.Int32
	var posters errgroup.Group
	posters.SetLimit(tlsPosters)
	for _, day := range w.router.tally.take() {
		posters.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, tlsPostTimeout)
			defer cancel()
			switch n, err := w.postTLSReport(ctx, day); {
			case err != nil:
				w.router.tally.putBack(day)
				later.Add(1)
			case n > 0:
				sent.Add(1)
			}
			return nil
		})
	}
	_ = posters.Wait() // its functions return none
	if sent.Load()+later.Load() > 0 {
		w.log.Info("reports on TLS for other domains", "sent", sent.Load(), "put_off", later.Load())
	}
}

// postTLSReport sends one day's report to everybody who wants it, and returns how many
// have it. Only an error that passes is one: it is sent again then, to those too who
// have it, and they know it by its dates.
func (w *Worker) postTLSReport(ctx context.Context, day *tlsDay) (sent int, err error) {
	found, err := w.router.resolver.lookup(ctx, "_smtp._tls."+day.domain, dns.TypeTXT)
	if errors.Is(err, errNoName) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var texts []string
	for _, rr := range found.records {
		texts = append(texts, strings.Join(rr.(*dns.TXT).Txt, ""))
	}
	r := day.report(w.o.Domain)
	for _, to := range parseTLSReaders(texts) {
		taken, postErr := false, error(nil)
		if to.url != "" {
			taken, postErr = w.postTLS(ctx, r, to.url)
		} else {
			taken, postErr = w.mailTLS(ctx, r, day.domain, to.mail)
		}
		if taken {
			sent++
		}
		err = errors.Join(err, postErr)
	}
	if sent > 0 {
		return sent, nil
	}
	return 0, err
}

var errReportPut = errors.New("queue: the report was not taken at the moment")

// postTLS hands a report over by HTTPS (RFC 8460, 5.4).
func (w *Worker) postTLS(ctx context.Context, r *tlsReport, to string) (taken bool, err error) {
	file, err := r.file()
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(file))
	if err != nil {
		return false, nil // no address, today as tomorrow
	}
	req.Header.Set("Content-Type", tlsReportType)
	res, err := w.router.sts.client.Do(req)
	if err != nil {
		return false, errReportPut
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode/100 == 2:
		return true, nil
	case res.StatusCode/100 == 4 && res.StatusCode != http.StatusTooManyRequests:
		return false, nil
	}
	return false, errReportPut
}

// mailTLS hands a report over by mail, at once or not at all: it is worth no place in
// the queue. It is signed, and comes from the null sender.
func (w *Worker) mailTLS(ctx context.Context, r *tlsReport, domain string, to addr.Address) (taken bool, err error) {
	text, err := r.mail(domain, to, w.now())
	if err != nil {
		return false, err
	}
	if text, err = w.sign(text); err != nil {
		return false, err
	}
	c, err := w.router.connect(ctx, need{domain: to.Domain(), report: true})
	if err != nil {
		return false, passing(trouble(err))
	}
	verdicts, err := c.send(ctx, &parcel{
		to: []stop{{address: to}}, size: int64(len(text)), utf8: !isASCII(to.String()),
		open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
	})
	if err != nil {
		c.close()
	} else {
		c.quit()
	}
	return verdicts[0].outcome == delivered, passing(verdicts[0])
}

// passing returns an error if trying again may help.
func passing(v verdict) error {
	if v.outcome == deferred {
		return errReportPut
	}
	return nil
}
