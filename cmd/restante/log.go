package main

import (
	"io"
	"log/slog"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/redact"
)

// newLog returns the log that the configuration asks for. Everything in it has
// passed the redacting handler.
func newLog(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // config.Check admits only levels
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if c.Format == "json" {
		h = slog.NewJSONHandler(w, options)
	}
	return slog.New(redact.NewHandler(h))
}
