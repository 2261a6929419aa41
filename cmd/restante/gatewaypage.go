package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func gatewayPage(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "page",
		Short: "Print the address of the gateway's page, to open in a browser on this machine",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var url string
			if err := h.do(cmd.Context(), "page", struct{}{}, &url); err != nil {
				return err
			}
			_, err := fmt.Fprintln(e.stdout, url)
			return err
		},
	}
}

func opPage(_ context.Context, g *openedGateway, _ json.RawMessage) (any, error) {
	if g.page == "" {
		return nil, errors.New("the page is there while the gateway runs: start it with `restante gateway run`")
	}
	return g.page, nil
}
