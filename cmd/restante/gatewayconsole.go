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
	"path/filepath"
	"time"

	"github.com/restante/restante/gateway/vault"
)

// The commands of a gateway are operations, each with a request and a reply in JSON.
// They are done in this process if no gateway runs, else by the one that runs, which
// takes them on a Unix socket in its folder. Only its user can get there.

const (
	consoleTimeout   = 15 * time.Minute // pairing waits for a person
	consoleBodyLimit = 4 << 20          // key files are the largest
)

// operation does one command on an open gateway.
type operation func(ctx context.Context, g *openedGateway, request json.RawMessage) (reply any, err error)

// gatewayOperations are the commands by the names that the socket knows.
var gatewayOperations = map[string]operation{
	"status":      opGatewayStatus,
	"contacts":    opContacts,
	"accept":      opAccept,
	"invite":      opInvite,
	"join":        opJoin,
	"group":       opGroup,
	"identity":    opIdentity,
	"key":         opKey,
	"backup":      opBackup,
	"pair-link":   opPairLink,
	"pair":        opPair,
	"leak-mail":   opLeakMail,
	"lost-device": opLostDevice,
	"sheet":       opSheet,
	"key-export":  opKeyExport,
	"key-import":  opKeyImport,
	"page":        opPage,

	"device-listen": opDeviceListen,
	"device-add":    opDeviceAdd,
	"devices":       opDevices,
	"device-revoke": opDeviceRevoke,
}

// do does an operation. request and reply are what JSON makes of them; reply may be nil.
func (h *gatewayHome) do(ctx context.Context, name string, request, reply any) error {
	in, err := json.Marshal(request)
	if err != nil {
		return err
	}
	out, err := h.dispatch(ctx, name, in)
	if err != nil || reply == nil {
		return err
	}
	return json.Unmarshal(out, reply)
}

func (h *gatewayHome) dispatch(ctx context.Context, name string, in json.RawMessage) (json.RawMessage, error) {
	g, err := h.open(ctx)
	if errors.Is(err, vault.ErrLocked) {
		dir, err := h.dir()
		if err != nil {
			return nil, err
		}
		return gatewaySocket(dir).do(ctx, name, in)
	}
	if err != nil {
		return nil, err
	}
	out, err := g.do(ctx, name, in)
	return out, errors.Join(err, g.close())
}

// do does an operation in this process.
func (o *openedGateway) do(ctx context.Context, name string, in json.RawMessage) (json.RawMessage, error) {
	op := gatewayOperations[name]
	if op == nil {
		return nil, fmt.Errorf("the gateway that runs does not know the operation %q: restart it with this version of restante", name)
	}
	reply, err := op(ctx, o, in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(reply)
}

// gatewaySocket is the folder of a gateway that runs in another process.
type gatewaySocket string

func (s gatewaySocket) path() string { return filepath.Join(string(s), "console") }

// consoleReply is what comes back through the socket.
type consoleReply struct {
	Reply json.RawMessage `json:",omitempty"`
	Error string          `json:",omitempty"`
}

// listen opens the socket. The caller holds the vault's lock, so a socket file that is
// there already is left over from a crash.
func (s gatewaySocket) listen() (net.Listener, error) {
	if err := os.Remove(s.path()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old console socket: %w", err)
	}
	ln, err := net.Listen("unix", s.path())
	if err != nil {
		return nil, fmt.Errorf("open the console socket (the name of the folder may be too long for one): %w", err)
	}
	if err := os.Chmod(s.path(), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the console socket: %w", err), ln.Close())
	}
	return ln, nil
}

// serveConsole takes operations on the socket until ctx ends.
func serveConsole(ctx context.Context, ln net.Listener, o *openedGateway) error {
	server := &http.Server{
		Handler: consoleHandler(o), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadTimeout: time.Minute, WriteTimeout: consoleTimeout,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("console socket: %w", err)
	}
	return nil
}

func consoleHandler(o *openedGateway) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := io.ReadAll(http.MaxBytesReader(w, r.Body, consoleBodyLimit))
		var answer consoleReply
		if err == nil {
			answer.Reply, err = o.do(r.Context(), r.URL.Query().Get("op"), in)
		}
		if err != nil {
			answer.Error = err.Error()
		}
		// A client that is gone has nobody to tell.
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// do does an operation by the gateway that runs.
func (s gatewaySocket) do(ctx context.Context, name string, in json.RawMessage) (json.RawMessage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://console/?op="+name, bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: consoleTimeout, Transport: &http.Transport{DialContext: s.dial, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the gateway runs, or another command works on it, and does not answer at %s: try again: %w", s.path(), err)
	}
	defer resp.Body.Close()
	var answer consoleReply
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("console socket: %w", err)
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	return answer.Reply, nil
}

func (s gatewaySocket) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", s.path())
}
