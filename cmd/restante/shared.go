package main

import (
	"context"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/listen"
)

// httpsProtocols are what clients of the https port may ask for by ALPN.
func httpsProtocols(l *config.Listen) []string {
	if l.Shared {
		return []string{"http/1.1", listen.SplitIMAP, listen.SplitSMTP}
	}
	return []string{"http/1.1"}
}

// sharedPort is the https port if it takes mail clients too, else 0.
func (r *relay) sharedPort() int {
	if !r.cfg.Listen.Shared {
		return 0
	}
	return r.portOf("https")
}

// serveHTTPS serves the pages, and where the port is shared IMAP and submission too.
func (r *relay) serveHTTPS(ctx context.Context, ln net.Listener) error {
	if !r.cfg.Listen.Shared {
		return r.web.Serve(ctx, ln)
	}
	split := listen.NewSplit(ln, listen.MailOrWeb)
	pages, imap, smtp := split.Listener(listen.SplitWeb), split.Listener(listen.SplitIMAP), split.Listener(listen.SplitSMTP)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.web.Serve(ctx, pages) })
	group.Go(func() error { return r.imap.Serve(ctx, imap) })
	group.Go(func() error { return r.smtp.ServeSubmission(ctx, smtp) })
	group.Go(func() error { return split.Run(ctx) })
	return group.Wait()
}
