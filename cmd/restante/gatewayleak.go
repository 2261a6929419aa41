package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway/leak"
	"github.com/restante/restante/internal/addr"
)

func gatewayLeakcheck(e env, h *gatewayHome) *cobra.Command {
	var mark string
	cmd := &cobra.Command{
		Use:   "leakcheck",
		Short: "Look what your mail client leaves in clear on this disk",
		Long: "Look what your mail client leaves in clear on this disk: a marked mail goes to yourself, you open it in the client, and\n" +
			"the folders of known mail clients are searched for it. The gateway's own files are sealed; those of the client are\n" +
			"not its affair.",
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if mark != "" {
				return scanLeaks(cmd.Context(), e, mark)
			}
			mark := leak.NewMark()
			if err := h.do(cmd.Context(), "leak-mail", mark, nil); err != nil {
				return err
			}
			say(e, "a mail with the word %s is on its way to you. Open it in your mail client, with the gateway running.", mark)
			if f, ok := e.stdin.(*os.File); !ok || !isTerminal(f) {
				fmt.Fprintf(e.stdout, "restante gateway leakcheck --mark %s\n", mark)
				say(e, "then run that.")
				return nil
			}
			fmt.Fprint(e.stderr, "Press Enter when you see it: ")
			if _, err := bufio.NewReader(e.stdin).ReadString('\n'); err != nil {
				return err
			}
			return scanLeaks(cmd.Context(), e, mark)
		},
	}
	cmd.Flags().StringVar(&mark, "mark", "", "send nothing, and look for the `WORD` of a mail that was sent before")
	return cmd
}

// opLeakMail sends the marked mail to the user.
func opLeakMail(ctx context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var mark string
	if err := json.Unmarshal(request, &mark); err != nil {
		return nil, err
	}
	own, err := addr.Parse(g.Local().User)
	if err != nil {
		return nil, err
	}
	mail := fmt.Sprintf("From: <%[1]s>\r\nTo: <%[1]s>\r\nSubject: Leak check %[2]s\r\nDate: %[3]s\r\n\r\n"+
		"This mail is a test of what your mail client leaves on the disk: %[2]s\r\nYou can delete it.\r\n",
		own, mark, time.Now().UTC().Format(time.RFC1123Z))
	return nil, g.Send(ctx, []addr.Address{own}, strings.NewReader(mail))
}

// scanLeaks prints where the mark lies in clear, and what stops it.
func scanLeaks(ctx context.Context, e env, mark string) error {
	if len(mark) < 16 { // shorter words stand in many files
		return usageError{errors.New("--mark: this is not the word of a marked mail")}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return fmt.Errorf("leakcheck: %w", err)
	}
	found, files, err := leak.Scan(ctx, home, leak.Clients(runtime.GOOS), strings.ToLower(mark))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		say(e, "some files could not be read: %v", err)
	}
	told := map[string]bool{}
	for _, f := range found {
		fmt.Fprintf(e.stdout, "%s: in clear in %s\n", f.Client, f.Path)
		if !told[f.Advice] {
			fmt.Fprintf(e.stdout, "  %s\n", f.Advice)
			told[f.Advice] = true
		}
	}
	if len(found) == 0 {
		fmt.Fprintf(e.stdout, "Nothing was found in %d files of known mail clients. Compressed files may still hold it.\n", files)
	}
	return nil
}
