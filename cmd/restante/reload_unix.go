//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// reloads returns a channel that gets each SIGHUP, and a function that ends it.
func reloads() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
