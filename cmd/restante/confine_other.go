//go:build !linux

package main

import (
	"log/slog"

	"github.com/restante/restante/internal/config"
)

func canConfine() bool { return false }

// confine does nothing: Landlock is Linux's.
func confine(*config.Config, *slog.Logger) (bool, error) { return false, nil }
