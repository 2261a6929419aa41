package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
)

func gatewayPair(e env, h *gatewayHome) *cobra.Command {
	var s gatewaySetup
	var address string
	var onPage bool
	cmd := &cobra.Command{
		Use:   "pair [CODE]",
		Short: "Bring keys, contacts and groups to a second device",
		Long: "Bring keys, contacts, trust and groups to a second device. On the first one, run it without CODE: it shows a code, a link\n" +
			"and a QR code, and waits ten minutes. On the second one, which has no gateway yet, give it the link, or the code with\n" +
			"--address; or run it there with --page, give them to its page in a browser, and leave it running: it is the gateway then.\n" +
			"A wrong code gets nothing and ends the attempt.",
		Args: atMost(1, "one code at most"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if onPage && len(args) > 0 {
				return usageError{errors.New("--page takes the code in the browser: give either")}
			}
			if onPage {
				return pairOnPage(cmd.Context(), e, h, s)
			}
			if len(args) == 0 {
				return offerPairing(cmd.Context(), e, h)
			}
			return joinPairing(cmd.Context(), e, h, s, address, args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVar(&onPage, "page", false, "take the code on a page in a browser, whose address is printed, and run the gateway from then on")
	f.StringVar(&address, "address", "", "the account's `ADDRESS`, with a code that is typed; its password is asked for")
	f.BoolVar(&s.passwordStdin, "password-stdin", false, "read the account's password from standard input")
	f.StringVar(&s.imap, "imap", "", "the provider's IMAP server, `HOST:PORT`, if it is not to be found")
	f.StringVar(&s.smtp, "smtp", "", "the provider's server for sending, `HOST:PORT`")
	f.StringVar(&s.caFile, "ca", "", "trust the certificate authority in `FILE`, for a provider that has its own")
	f.StringVar(&s.proxy, "proxy", "", proxyUsage)
	f.StringVar(&s.listen.IMAP, "listen-imap", "", "where your mail client reads mail (default "+gateway.DefaultListen().IMAP+")")
	f.StringVar(&s.listen.SMTP, "listen-smtp", "", "where your mail client sends mail (default "+gateway.DefaultListen().SMTP+")")
	return cmd
}

// offerPairing shows a code and gives everything to the device that knows it.
func offerPairing(ctx context.Context, e env, h *gatewayHome) error {
	code := gateway.NewPairCode()
	var link string
	if err := h.do(ctx, "pair-link", code, &link); err != nil {
		return err
	}
	if isTerminal(e.stdout) {
		if err := printCode(e.stdout, link); err != nil {
			return err
		}
	}
	printTable(e.stdout, [][2]string{{"Code", code}, {"Link", link}})
	say(e, "type on the other device `restante gateway pair`, and the link or the code. Let nobody else see them.")
	if err := h.do(ctx, "pair", code, nil); err != nil {
		return err
	}
	say(e, "the other device has everything")
	return nil
}

func opPairLink(_ context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var code string
	if err := json.Unmarshal(request, &code); err != nil {
		return nil, err
	}
	a, err := gateway.LoadAccount(g.vault)
	if err != nil {
		return nil, err
	}
	return gateway.PairLink(a, code)
}

func opPair(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var code string
	if err := json.Unmarshal(request, &code); err != nil {
		return nil, err
	}
	return nil, g.Pair(ctx, code)
}

// joinPairing makes this device the second one.
func joinPairing(ctx context.Context, e env, h *gatewayHome, s gatewaySetup, address, text string) error {
	account, code, err := pairAccount(ctx, e, s, address, text)
	if err != nil {
		return err
	}
	return h.fromElsewhere(ctx, s.listen, func(v *vault.Vault) error {
		return gateway.JoinPair(ctx, v, gateway.Newcomer{Account: account, Code: code, Now: time.Now})
	})
}

// pairAccount returns how the account is reached, from the link or from what is typed.
func pairAccount(ctx context.Context, e env, s gatewaySetup, address, text string) (gateway.Account, string, error) {
	linked, code, isLink := gateway.ParsePairLink(text)
	proxy, err := s.proxyOr(linked.Proxy)
	if err != nil {
		return gateway.Account{}, "", err
	}
	f, ca, err := s.finder(proxy)
	if err != nil {
		return gateway.Account{}, "", err
	}
	if isLink {
		linked.CA, linked.Proxy = ca, proxy
		account, err := s.namedServers(linked)
		return account, code, err
	}
	if strings.Trim(text, "0123456789- ") != "" || address == "" {
		return gateway.Account{}, "", errors.New("give the link that the other device shows, or its code together with --address")
	}
	a, err := addr.Parse(address)
	if err != nil {
		return gateway.Account{}, "", fmt.Errorf("--address: %w", err)
	}
	account := gateway.Account{Address: a.String(), CA: ca, Proxy: proxy}
	if account.Password, err = s.password(e); err != nil {
		return account, "", err
	}
	account, err = s.servers(ctx, e, f, account)
	return account, text, err
}
