package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is what the linker says when a release is built.
var release string

// version returns the release, or the commit of a program that is none, as the module
// system knows it.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}

// programVersion is version with what the program was built by and for.
func programVersion() string {
	return "restante " + version() + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}

func versionCommand(e env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(e.stdout, programVersion())
			return err
		},
	}
}
