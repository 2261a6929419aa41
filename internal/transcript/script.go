package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A Script is a parsed transcript. It is not changed by playing it, so that
// one script may be played several times and at the same time.
type Script struct {
	// Name is the file's name, as it stands before the line in failures.
	Name string
	// Title is the first comment: the behaviour and its reason.
	Title string

	settings map[string]string
	files    map[string][]byte
	steps    []step
}

// Setting returns the value of a "with key value" line, or "" without one.
func (s *Script) Setting(key string) string { return s.settings[key] }

// Has reports whether the script has a "with key" line, with or without a value.
func (s *Script) Has(key string) bool {
	_, ok := s.settings[key]
	return ok
}

// File returns a file of the transcript as it goes over the wire, with CRLF
// line ends, and whether there is one of this name. The caller must not
// change the bytes.
func (s *Script) File(name string) ([]byte, bool) {
	data, ok := s.files[name]
	return data, ok
}

// verb says what a step does.
type verb int

const (
	sendLine verb = iota
	sendRaw
	sendFile
	sendMail
	closeClient
	upgrade
	wantLine
	wantMatch
	wantSkipped
	wantFile
	wantClosed
	callTest
)

// marks maps the letter and mark of a line to its verb.
var marks = map[string]verb{
	"C:": sendLine, "C+": sendRaw, "C<": sendFile, "C<<": sendMail, "C.": closeClient, "C!": upgrade,
	"S:": wantLine, "S~": wantMatch, "S*": wantSkipped, "S<": wantFile, "S.": wantClosed,
}

// A step is one line of the script.
type step struct {
	line int    // in the file, from 1
	raw  string // the line as it is written
	verb verb
	conn string // the connection's name
	text string // what follows the mark and its space
}

// lineForm is letter, connection name, mark and text of a line.
var lineForm = regexp.MustCompile(`^([CS])([A-Za-z0-9]*)(:|~|\*|\+|<<|<|!|\.)(?: (.*))?$`)

// Parse reads a transcript. Every line that it cannot read, and every file
// that is named but missing, is reported with its place; the errors are joined.
func Parse(name string, data []byte) (*Script, error) {
	text, files := splitArchive(data)
	s := &Script{Name: name, settings: map[string]string{}, files: files}
	lines := strings.Split(text, "\n")
	title, isComment := strings.CutPrefix(lines[0], "#")
	s.Title = strings.TrimSpace(title)
	var faults []error
	if !isComment || s.Title == "" {
		faults = append(faults, fmt.Errorf("%s:1: begin with a # comment that says which behaviour this shows and which RFC section asks for it", name))
	}
	for i, line := range lines {
		if err := s.addLine(i+1, line); err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, i+1, err))
		}
	}
	if err := s.checkSkips(); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

// addLine parses one line into a step or a setting.
func (s *Script) addLine(number int, line string) error {
	if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	if rest, ok := strings.CutPrefix(line, "with "); ok {
		key, value, _ := strings.Cut(strings.TrimSpace(rest), " ")
		s.settings[key] = strings.TrimSpace(value)
		return nil
	}
	st := step{line: number, raw: line, verb: callTest}
	if rest, ok := strings.CutPrefix(line, "! "); ok {
		st.text = rest
	} else {
		m := lineForm.FindStringSubmatch(line)
		if m == nil {
			return fmt.Errorf("%q is not a line of a transcript", line)
		}
		v, ok := marks[m[1]+m[3]]
		if !ok {
			return fmt.Errorf("%q has a mark that only the other side has", line)
		}
		st.verb, st.conn, st.text = v, m[2], m[4]
	}
	s.steps = append(s.steps, st)
	return s.checkStep(st)
}

// checkStep finds the faults that need no server to be seen.
func (s *Script) checkStep(st step) error {
	switch st.verb {
	case sendFile, sendMail, wantFile:
		if _, ok := s.files[st.text]; !ok {
			return fmt.Errorf("%q names a file that the transcript does not have", st.raw)
		}
	case wantMatch:
		if _, err := regexp.Compile(variable.ReplaceAllString(st.text, "x")); err != nil {
			return err
		}
	case upgrade, callTest:
		if strings.TrimSpace(st.text) == "" {
			return fmt.Errorf("%q does not say what to do", st.raw)
		}
	}
	return nil
}

// checkSkips makes sure that each S* knows the line at which to stop: the next
// S: or S~ line of its connection, before anything else happens there.
func (s *Script) checkSkips() error {
	for i, st := range s.steps {
		if st.verb != wantSkipped {
			continue
		}
		next := i + 1
		for next < len(s.steps) && s.steps[next].conn != st.conn {
			next++
		}
		if next == len(s.steps) || (s.steps[next].verb != wantLine && s.steps[next].verb != wantMatch) {
			return fmt.Errorf("%s:%d: S* needs an S: or S~ line of the same connection after it", s.Name, st.line)
		}
	}
	return nil
}

// fileMark is the line of a txtar archive at which a file begins.
var fileMark = regexp.MustCompile(`^-- +(\S.*?) +--$`)

// splitArchive reads a txtar archive: the comment, and the files with the line
// ends of the wire. Every text is an archive, so there are no errors.
func splitArchive(data []byte) (comment string, files map[string][]byte) {
	files = map[string][]byte{}
	var head strings.Builder
	name, inFile := "", false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if m := fileMark.FindStringSubmatch(line); m != nil {
			name, inFile = m[1], true
			files[name] = nil
			continue
		}
		if inFile {
			files[name] = append(files[name], line+"\r\n"...)
			continue
		}
		head.WriteString(line + "\n")
	}
	return head.String(), files
}

// dotStuffed returns a message as SMTP DATA sends it (RFC 5321, 4.5.2).
func dotStuffed(data []byte) []byte {
	stuffed := bytes.ReplaceAll(append([]byte("\r\n"), data...), []byte("\r\n."), []byte("\r\n.."))[2:]
	if len(stuffed) > 0 && !bytes.HasSuffix(stuffed, []byte("\r\n")) {
		stuffed = append(stuffed, "\r\n"...)
	}
	return append(stuffed, ".\r\n"...)
}
