package main

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/restante/restante/web/token"
)

// maxTokenText bounds what is read of a request, an answer or a key.
const maxTokenText = 64 << 10

func tokenCommand(e env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Ask for sign-up tokens, and issue them",
		Long: "A token is worth one account. It is signed blindly: whoever issued it can't tell later whose account it became.\n\n" +
			"    operator   restante token key tokens.pem > public.pem            (signup.token_keys = public.pem)\n" +
			"    user       restante token request --key public.pem               sends what it prints to the operator\n" +
			"    operator   restante token sign --key tokens.pem < request        sends back what it prints\n" +
			"    user       restante token finish --key public.pem < answer       prints the token, for the sign-up page",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tokenKey(e), tokenRequest(e), tokenSign(e), tokenFinish(e))
	return cmd
}

func tokenKey(e env) *cobra.Command {
	return &cobra.Command{
		Use:   "key FILE",
		Short: "Make the operator's key in a new file, and print its public half",
		Args:  exactly(1, "the name of a new file"),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := token.GenerateKey()
			if err != nil {
				return err
			}
			private, err := token.EncodeKey(key)
			if err != nil {
				return err
			}
			if err := keepSecret(args[0], private); err != nil {
				return err
			}
			public, err := token.EncodePublic(&key.PublicKey)
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(public)
			fmt.Fprintf(e.stderr, "restante: %s issues tokens: keep it off the relay; the relay needs only what is printed\n", args[0])
			return err
		},
	}
}

func tokenRequest(e env) *cobra.Command {
	var keyFile, keep string
	cmd := &cobra.Command{
		Use:   "request",
		Short: "Ask for a token: print what the operator needs",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			public, err := readPublicKey(keyFile)
			if err != nil {
				return err
			}
			pending := token.New()
			request, err := pending.Request(public)
			if err != nil {
				return err
			}
			if err := keepSecret(keep, []byte(pending.Reveal()+"\n")); err != nil {
				return err
			}
			fmt.Fprintln(e.stdout, request)
			fmt.Fprintf(e.stderr, "restante: send this to the operator; %s makes the token of the answer, so keep it to yourself\n", keep)
			return nil
		},
	}
	tokenFlags(cmd, &keyFile, &keep)
	return cmd
}

func tokenFinish(e env) *cobra.Command {
	var keyFile, keep string
	cmd := &cobra.Command{
		Use:   "finish",
		Short: "Make the token of the operator's answer, which is read from standard input",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			public, err := readPublicKey(keyFile)
			if err != nil {
				return err
			}
			kept, err := os.ReadFile(keep)
			if err != nil {
				return fmt.Errorf("what `restante token request` has kept: %w", err)
			}
			pending, err := token.ParsePending(string(kept))
			if err != nil {
				return fmt.Errorf("%s: %w", keep, err)
			}
			answer, err := readText(e.stdin)
			if err != nil {
				return err
			}
			t, err := pending.Finish(public, answer)
			if err != nil {
				return fmt.Errorf("the answer on standard input: %w", err)
			}
			fmt.Fprintln(e.stdout, t.Reveal())
			fmt.Fprintln(e.stderr, "restante: use the token not at once but some time later: then the time tells nobody that it is yours")
			return nil
		},
	}
	tokenFlags(cmd, &keyFile, &keep)
	return cmd
}

func tokenFlags(cmd *cobra.Command, keyFile, keep *string) {
	cmd.Flags().StringVar(keyFile, "key", "", "the relay's public key for tokens, a PEM `FILE`")
	cmd.Flags().StringVar(keep, "keep", "restante-token", "`FILE` for what must be kept until the answer comes")
}

func tokenSign(e env) *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "sign",
		Short: "Answer a request for a token, which is read from standard input",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			b, err := os.ReadFile(keyFile)
			if err != nil {
				return fmt.Errorf("--key: %w", err)
			}
			key, err := token.ParseKey(b)
			if err != nil {
				return fmt.Errorf("--key: %w", err)
			}
			request, err := readText(e.stdin)
			if err != nil {
				return err
			}
			answer, err := token.Sign(key, request)
			if err != nil {
				return fmt.Errorf("the request on standard input: %w", err)
			}
			fmt.Fprintln(e.stdout, answer)
			return nil
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "the operator's key, a PEM `FILE` made by `restante token key`")
	return cmd
}

// readPublicKey reads the newest of the public keys in a file, which is the first.
func readPublicKey(file string) (*rsa.PublicKey, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	keys, err := token.ParsePublic(b)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	return keys[0], nil
}

// keepSecret is writeNewFile with an error that says what to do.
func keepSecret(file string, content []byte) error {
	err := writeNewFile(file, content)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: name another file", file)
	}
	return err
}

func readText(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTokenText))
	if err != nil {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return string(b), nil
}
