package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// terminalWidth is how many columns a line has where output goes, or 0 where it goes to
// no terminal and lines may be as long as they are.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// wrapText breaks a line at spaces, so that it fits into width columns of which the
// first indent are taken, and the other lines begin below them. What stands between
// back quotes is a command to be copied and stays whole. A width of 0 breaks nothing.
func wrapText(text string, indent, width int) string {
	if width == 0 || indent+utf8.RuneCountInString(text) <= width {
		return text
	}
	var b strings.Builder
	column := indent
	for i, word := range unbroken(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width && column > indent:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

// unbroken splits at the spaces at which a line may be broken.
func unbroken(text string) (words []string) {
	from, quoted := 0, false
	for i, c := range text {
		switch {
		case c == '`':
			quoted = !quoted
		case c == ' ' && !quoted:
			words = append(words, text[from:i])
			from = i + 1
		}
	}
	return append(words, text[from:])
}

// wrapRows wraps the lines of a table of names and values: what is too long goes on
// below where the value began.
func wrapRows(text string, width int) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		name, rest, found := strings.Cut(line, "  ")
		value := strings.TrimLeft(rest, " ")
		if found && name != "" {
			indent := utf8.RuneCountInString(line) - utf8.RuneCountInString(value)
			lines[i] = line[:len(line)-len(value)] + wrapText(value, indent, width)
		}
	}
	return strings.Join(lines, "")
}

// wrapLines wraps each line of a text by itself.
func wrapLines(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = wrapText(line, 0, width)
	}
	return strings.Join(lines, "\n")
}

// wrapHelp has what --help prints fit the terminal.
func wrapHelp(root *cobra.Command, e env) {
	width := terminalWidth(e.stdout)
	if width == 0 {
		return
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", width)))
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := strings.TrimSpace(cmp.Or(cmd.Long, cmd.Short))
		fmt.Fprintf(e.stdout, "%s\n\n%s", wrapLines(joinLines(text), width), cmd.UsageString())
	})
}

// joinLines makes paragraphs of lines. Lines that begin with a space stay as they are.
func joinLines(text string) string {
	lines := strings.Split(text, "\n")
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			if line == "" || lines[i-1] == "" || line[0] == ' ' || lines[i-1][0] == ' ' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(line)
	}
	return b.String()
}
