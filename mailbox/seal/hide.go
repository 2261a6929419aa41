package seal

import (
	"fmt"
	"io"
	"log/slog"
)

// Secrets print as this word under every verb, and log as it.
const hidden = "[secret]"

// The types that hide their content from fmt and slog.
var (
	_ fmt.Formatter  = Root{}
	_ slog.LogValuer = Root{}
)

func hide(f fmt.State) { io.WriteString(f, hidden) }

// Format prints a word in place of the key.
func (Root) Format(f fmt.State, _ rune) { hide(f) }

// LogValue logs a word in place of the key.
func (Root) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format prints a word in place of the key.
func (DEK) Format(f fmt.State, _ rune) { hide(f) }

// LogValue logs a word in place of the key.
func (DEK) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format prints a word in place of the message's identity and keys.
func (Message) Format(f fmt.State, _ rune) { hide(f) }

// LogValue logs a word in place of the message's identity and keys.
func (Message) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format prints a word in place of the secret; Reveal shows it.
func (Secret) Format(f fmt.State, _ rune) { hide(f) }

// LogValue logs a word in place of the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format prints a word in place of the keys.
func (Factor) Format(f fmt.State, _ rune) { hide(f) }

// LogValue logs a word in place of the keys.
func (Factor) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format prints a word in place of the keys.
func (*Keys) Format(f fmt.State, _ rune) { hide(f) }

// LogValue logs a word in place of the keys.
func (*Keys) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format prints a word in place of the keys.
func (*RelayKey) Format(f fmt.State, _ rune) { hide(f) }

// LogValue logs a word in place of the keys.
func (*RelayKey) LogValue() slog.Value { return slog.StringValue(hidden) }
