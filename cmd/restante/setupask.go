package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/restante/restante/internal/config"
)

// questions asks for what the command line does not say, and checks each answer before
// the next question. Where nobody is there to answer, what is proposed is taken.
func (s *setup) questions(ctx context.Context, domain string) (string, error) {
	domain, err := s.answer(ctx, domain, "The domain of your addresses, what follows the @", "", func(domain string) error {
		if domain == "" {
			return usageError{errors.New("name the domain: restante setup example.org")}
		}
		return faultsOf("domain = %q\n", domain)
	})
	if err != nil {
		return "", err
	}
	s.f.hostname, err = s.answer(ctx, s.f.hostname, "The name of this machine in the DNS", domain, func(name string) error {
		return faultsOf("domain = %q\nhostname = %q\n", domain, name)
	})
	if err != nil {
		return "", err
	}
	s.f.operator, err = s.ask(ctx, "Your own account, which gets mail to postmaster and abuse", s.f.operator, func(name string) error {
		return faultsOf("domain = %q\n[policy]\noperator = %q\n", domain, name+"@"+domain)
	})
	if err != nil || s.f.acme == "" {
		return domain, err
	}
	terms, err := s.ask(ctx, "Certificates from "+s.f.acme+", to whose terms you agree (yes, no)", "yes", oneWord("yes", "no"))
	if terms == "no" {
		s.f.acme = ""
	}
	return domain, err
}

// faultsOf returns what is wrong with the settings that are known so far.
func faultsOf(format string, values ...any) error {
	_, err := config.Parse(strings.NewReader(fmt.Sprintf(format, values...)))
	return err
}

// oneWord takes one of a few answers.
func oneWord(words ...string) func(string) error {
	return func(answer string) error {
		if slices.Contains(words, answer) {
			return nil
		}
		return fmt.Errorf("answer %s", strings.Join(words, " or "))
	}
}

// answer is ask for what the command line may have said already.
func (s *setup) answer(ctx context.Context, said, question, proposed string, check func(string) error) (string, error) {
	if said == "" {
		return s.ask(ctx, question, proposed, check)
	}
	return said, check(said)
}

// ask asks a question until the answer passes check. What is proposed is the answer of
// who just presses Enter.
func (s *setup) ask(ctx context.Context, question, proposed string, check func(string) error) (string, error) {
	if !s.asks {
		return proposed, check(proposed)
	}
	if proposed != "" {
		question += " [" + proposed + "]"
	}
	for {
		fmt.Fprintf(s.e.stderr, "%s: ", wrapText(question, 0, terminalWidth(s.e.stderr)))
		line, err := s.readLine(ctx)
		if err != nil {
			return "", err
		}
		if line == "" {
			line = proposed
		}
		if err = check(line); err == nil {
			return line, nil
		}
		fmt.Fprintf(s.e.stderr, "  %s\n", wrapText(err.Error(), 2, terminalWidth(s.e.stderr)))
	}
}

// readLine waits for a line, or for Ctrl-C. After that the program ends, and with it
// the goroutine that still reads.
func (s *setup) readLine(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		line, err := s.in.ReadString('\n')
		answered <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.e.stderr)
		return "", errors.New("stopped; what was done is kept: run `restante setup` again to go on")
	case a := <-answered:
		if a.err != nil {
			return "", fmt.Errorf("read the answer: %w; with --yes nothing is asked", a.err)
		}
		return a.line, nil
	}
}
