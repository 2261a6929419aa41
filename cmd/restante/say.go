package main

import "fmt"

// say tells the user of a command something, on standard error, in lines that fit the
// terminal. What stands between back quotes stays whole.
func say(e env, format string, args ...any) {
	fmt.Fprintln(e.stderr, wrapLines("restante: "+fmt.Sprintf(format, args...), terminalWidth(e.stderr)))
}
