//go:build e2e

package e2e

import (
	"bufio"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

//go:embed thunderbird.js
var thunderbirdActions string

// marionette drives a Mozilla program from the inside, by the protocol that the
// program's own tests use: a JSON array after its length and a colon.
type marionette struct {
	conn net.Conn
	in   *bufio.Reader
	last int
}

// dialMarionette connects and asks for the scope in which the program's own
// windows are.
func dialMarionette(port string) (*marionette, error) {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), patience)
	if err != nil {
		return nil, err
	}
	m := &marionette{conn: conn, in: bufio.NewReader(conn)}
	if _, err := m.read(); err != nil { // its greeting
		return nil, err
	}
	return m, errors.Join(
		m.command(nil, "WebDriver:NewSession", map[string]any{}),
		m.command(nil, "Marionette:SetContext", map[string]any{"value": "chrome"}),
		m.command(nil, "WebDriver:SetTimeouts", map[string]any{"script": patience.Milliseconds()}),
	)
}

func (m *marionette) read() ([]byte, error) {
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	length, err := m.in.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(m.in, b)
	return b, err
}

// exchange gives a command and returns its whole answer.
func (m *marionette) exchange(name string, params map[string]any) (json.RawMessage, error) {
	m.last++
	b, err := json.Marshal([]any{0, m.last, name, params})
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(m.conn, "%d:%s", len(b), b); err != nil {
		return nil, err
	}
	if b, err = m.read(); err != nil {
		return nil, err
	}
	var fault *struct{ Error, Message string }
	var answer json.RawMessage
	if err := json.Unmarshal(b, &[]any{new(int), new(int), &fault, &answer}); err != nil {
		return nil, err
	}
	if fault != nil {
		return nil, fmt.Errorf("%s: %s: %s", name, fault.Error, fault.Message)
	}
	return answer, nil
}

// command gives a command and puts the value of its answer into value, which may
// be nil.
func (m *marionette) command(value any, name string, params map[string]any) error {
	answer, err := m.exchange(name, params)
	if err != nil || value == nil {
		return err
	}
	return json.Unmarshal(answer, &struct{ Value any }{value})
}

// do runs an action of thunderbird.js and puts what it returns into result,
// which may be nil.
func (m *marionette) do(result any, action string, args ...any) error {
	script := thunderbirdActions + `
const [name, args, done] = arguments;
Promise.try(() => actions[name](...args)).then(
  value => done({ value: value ?? null }),
  fault => done({ fault: String(fault) }));`
	if args == nil {
		args = []any{}
	}
	var outcome struct {
		Value json.RawMessage
		Fault string
	}
	err := m.command(&outcome, "WebDriver:ExecuteAsyncScript", map[string]any{
		"script": script, "args": []any{action, args}, "sandbox": "system",
	})
	if err != nil {
		return err
	}
	if outcome.Fault != "" {
		return fmt.Errorf("%s: %s", action, outcome.Fault)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(outcome.Value, result)
}

// windows returns the windows, the oldest first.
func (m *marionette) windows() (handles []string, err error) {
	answer, err := m.exchange("WebDriver:GetWindowHandles", map[string]any{})
	if err != nil {
		return nil, err
	}
	return handles, json.Unmarshal(answer, &handles)
}

// screenshot returns a window as a PNG.
func (m *marionette) screenshot(window string) ([]byte, error) {
	if err := m.command(nil, "WebDriver:SwitchToWindow", map[string]any{"handle": window}); err != nil {
		return nil, err
	}
	var encoded string
	if err := m.command(&encoded, "WebDriver:TakeScreenshot", map[string]any{"full": false, "hash": false}); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(encoded)
}
