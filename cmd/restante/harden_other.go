//go:build !linux

package main

import "log/slog"

// harden has nothing to do where the system offers nothing.
func harden(*slog.Logger) {}
