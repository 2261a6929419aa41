package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// The admin socket is a Unix socket that only the relay's own user can open. It
// speaks one JSON request and reply at POST /.

const (
	adminBodyLimit = 64 << 10
	adminTimeout   = 5 * time.Minute // a reset deletes a whole mailbox
)

// listenAdmin opens the socket with mode 0600. The caller holds the store's
// lock, so a socket file that is there already is left over from a crash.
func listenAdmin(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old admin socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("protect the admin socket: %w", err)
	}
	return ln, nil
}

// serveAdmin answers requests until ctx is done: about accounts at /, and about the
// store at storePath.
func serveAdmin(ctx context.Context, ln net.Listener, a accounts, store storeWork) error {
	mux := http.NewServeMux()
	mux.Handle("/", adminHandler(a))
	mux.Handle(storePath, storeHandler(store))
	server := &http.Server{
		Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx },
		ReadTimeout: time.Minute, WriteTimeout: adminTimeout,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin socket: %w", err)
	}
	return nil
}

func adminHandler(a accounts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req adminRequest
		body := http.MaxBytesReader(w, r.Body, adminBodyLimit)
		if err := json.NewDecoder(body).Decode(&req); err != nil {
			http.Error(w, "not an admin request", http.StatusBadRequest)
			return
		}
		reply, err := a.do(r.Context(), req)
		if err != nil {
			reply = adminReply{Error: err.Error()}
		}
		// A client that is gone has nobody to tell.
		_ = json.NewEncoder(w).Encode(reply)
	})
}

// remote does the operations through the admin socket of a running relay.
type remote struct{ socket string }

func (s remote) do(ctx context.Context, r adminRequest) (adminReply, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return adminReply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://admin/", bytes.NewReader(body))
	if err != nil {
		return adminReply{}, err
	}
	client := http.Client{Timeout: adminTimeout, Transport: &http.Transport{DialContext: s.dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return adminReply{}, fmt.Errorf("the relay runs but does not answer on its admin socket %s (is it this relay's user who asks?): %w", s.socket, err)
	}
	defer resp.Body.Close()
	return readReply(resp)
}

func (s remote) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", s.socket)
}

func readReply(resp *http.Response) (adminReply, error) {
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		return adminReply{}, fmt.Errorf("admin socket: %s: %s", resp.Status, bytes.TrimSpace(text))
	}
	var reply adminReply
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return adminReply{}, fmt.Errorf("admin socket: %w", err)
	}
	if reply.Error != "" {
		return adminReply{}, errors.New(reply.Error)
	}
	return reply, nil
}
