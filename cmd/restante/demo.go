package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/web"
)

// demoDomain ends in .test, which is nobody's (RFC 6761, 6.2).
const demoDomain = "restante.test"

// demoOptions are the flags of the demonstration. Programs that test and
// measure use --dir, --accounts, --ready, --unlimited and --cleartext: they are
// kept stable.
type demoOptions struct {
	once      bool
	dir       string
	store     string
	accounts  int
	ready     string
	unlimited bool
	cleartext bool
	signup    bool
}

func demoCommand(e env) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it: a relay on loopback and one encrypted message through it",
		Long: "Run a relay on free ports of 127.0.0.1 with a fresh store, send one OpenPGP message through it from one account to\n" +
			"another, show what the relay could see of it, and go on until Ctrl-C with settings to paste into a mail client.\n" +
			"With --ready, for programs, no message is sent unless --once asks for it.",
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.accounts < 1 {
				return usageError{errors.New("--accounts: there must be at least one")}
			}
			if o.store != "" && o.dir == "" {
				return usageError{errors.New("--store needs --dir: the relay key stays there, without which the store opens no more")}
			}
			return demo(cmd.Context(), e, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.once, "once", false, "end after the round trip")
	f.StringVar(&o.dir, "dir", "", "keep the store in `DIR`, and use what is there from before (default a folder that is removed)")
	f.StringVar(&o.store, "store", "", "keep accounts and mail at `URL`, postgres://user@host/database (default a file in the folder)")
	f.IntVar(&o.accounts, "accounts", 2, "how many accounts to make")
	f.StringVar(&o.ready, "ready", "", "write addresses and accounts to `FILE` as JSON once everything listens")
	f.BoolVar(&o.unlimited, "unlimited", false, "no rate or connection limits (for measurements)")
	f.BoolVar(&o.cleartext, "cleartext", false, "switch the encryption gate off (for conformance tools)")
	f.BoolVar(&o.signup, "signup", false, "a login under a free name makes an account, as Delta Chat expects of a chatmail relay")
	return cmd
}

func demo(ctx context.Context, e env, o demoOptions) (err error) {
	dir, remove, err := demoDir(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	log := newLog(e.stderr, config.Log{Level: "error"})
	giveHeapRoom(e.getenv) // as serve does: programs measure relays by it
	r, err := openRelay(ctx, demoConfig(dir, o.store), log, e.getenv, relayOptions{
		cleartext: o.cleartext, unlimited: o.unlimited, names: []string{"127.0.0.1", "::1"},
		noFirstLogins: !o.signup,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	announce(e.stdout, dir, o)

	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- r.run(ctx) }()
	showErr := runDemo(ctx, e, r, dir, o)
	if showErr != nil || o.once {
		stop()
	}
	err = errors.Join(showErr, <-served)
	stop()
	return err
}

// runDemo shows what there is to show while the relay runs.
func runDemo(ctx context.Context, e env, r *relay, dir string, o demoOptions) error {
	people, err := demoAccounts(ctx, r, dir, o.accounts)
	if err != nil {
		return err
	}
	say := r.ready()
	say.Gate, say.Accounts = !o.cleartext, people
	if o.once || o.ready == "" {
		if err := tellStory(ctx, e.stdout, r, say, dir); err != nil {
			return ignoreInterrupt(ctx, err)
		}
	}
	if o.ready != "" {
		if err := say.write(o.ready); err != nil {
			return err
		}
	}
	if o.once {
		return nil
	}
	printServers(e.stdout, say)
	if o.ready == "" {
		printUsers(e.stdout, say.Accounts)
	}
	fmt.Fprintln(e.stdout, "\nThe relay runs until Ctrl-C.")
	return nil
}

// ignoreInterrupt turns the errors of a demonstration that was interrupted into
// the clean end that its user asked for.
func ignoreInterrupt(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// demoDir returns the folder of the demonstration and what removes it: nothing
// if the user has given it.
func demoDir(given string) (dir string, remove func() error, err error) {
	if given != "" {
		dir, err = filepath.Abs(given)
		if err != nil {
			return "", nil, err
		}
		return dir, func() error { return nil }, os.MkdirAll(dir, 0o700)
	}
	dir, err = os.MkdirTemp("", "restante-demo-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// demoConfig is the configuration of a relay that others can't reach.
func demoConfig(dir, store string) *config.Config {
	c := config.Default()
	c.Domain, c.DataDir, c.Store = demoDomain, dir, store
	for _, l := range []*config.Listener{&c.Listen.SMTPS, &c.Listen.Submission, &c.Listen.MX, &c.Listen.IMAPS, &c.Listen.IMAP, &c.Listen.HTTPS, &c.Listen.HTTP} {
		l.Address, l.Network = "127.0.0.1:0", "shared"
	}
	c.Quota = config.Quota{} // no bound
	c.Limits.DiskReserve = 0
	c.Signup.Policy = string(web.Open)
	c.Queue.Enabled = false      // nobody could answer
	c.Policy.InboundAuth = "off" // there is no DNS to look a signature's key up in
	c.Resolve()
	c.AdminSocket = "" // nobody administers it, and the path could be too long
	return c
}

// announce says what is unusual about this relay.
func announce(w io.Writer, dir string, o demoOptions) {
	fmt.Fprintf(w, "Restante demonstration: a relay on 127.0.0.1, everything it keeps in %s\n", dir)
	fmt.Fprintln(w, "Mail from other relays is not asked for a signature here, as a relay on the internet would ask.")
	if o.unlimited {
		fmt.Fprintln(w, "WARNING: rate and connection limits are off")
	}
	if o.cleartext {
		fmt.Fprintln(w, "WARNING: the encryption gate is off: this relay takes cleartext. What it keeps is sealed all the same.")
	}
	fmt.Fprintln(w)
}

// printServers prints what to paste into a mail client.
func printServers(w io.Writer, r ready) {
	fmt.Fprintln(w, "Settings for a mail client")
	host, smtps := splitPort(r.SMTPS)
	_, submission := splitPort(r.Submission)
	_, imaps := splitPort(r.IMAPS)
	_, imap := splitPort(r.IMAP)
	printColumns(w, [][]string{
		{"", "HOST", "PORT", "SECURITY", "LOGIN"},
		{"  IMAP", host, imaps, "TLS", "normal password"},
		{"  or", host, imap, "STARTTLS", "normal password"},
		{"  SMTP", host, smtps, "TLS", "normal password"},
		{"  or", host, submission, "STARTTLS", "normal password"},
	})
	fmt.Fprintf(w, "\n  trust the certificate authority in %s\n  more addresses at http://%s/\n", r.CAFile, r.HTTP)
}

// printUsers prints who can log in. Programs read it from the ready file, so that
// what they keep of our output names nobody.
func printUsers(w io.Writer, accounts []readyAccount) {
	const most = 10
	users := [][]string{{"  USER", "PASSWORD"}}
	for _, a := range accounts[:min(len(accounts), most)] {
		users = append(users, []string{"  " + a.Address, a.Password})
	}
	fmt.Fprintln(w)
	printColumns(w, users)
	if n := len(accounts) - most; n > 0 {
		fmt.Fprintf(w, "  and %d more accounts\n", n)
	}
}
