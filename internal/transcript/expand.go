package transcript

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// variable is a ${...} of a script.
var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand replaces the variables of text; quote is applied to each value.
func (p *player) expand(text string, quote func(string) string) (string, error) {
	var fault error
	out := variable.ReplaceAllStringFunc(text, func(ref string) string {
		value, err := p.value(ref[2 : len(ref)-1])
		if err != nil && fault == nil {
			fault = err
		}
		return quote(value)
	})
	return out, fault
}

// value returns what one variable stands for.
func (p *player) value(name string) (string, error) {
	if file, ok := strings.CutPrefix(name, "#"); ok {
		data, ok := p.script.File(file)
		if !ok {
			return "", fmt.Errorf("${%s}: the transcript has no file of this name", name)
		}
		return strconv.Itoa(len(data)), nil
	}
	if text, ok := strings.CutPrefix(name, "base64:"); ok {
		raw, err := unescape(text)
		return base64.StdEncoding.EncodeToString([]byte(raw)), err
	}
	value, ok := p.vars[name]
	if !ok {
		return "", fmt.Errorf("${%s} has no value", name)
	}
	return value, nil
}

// capture keeps the named groups of a match as variables.
func (p *player) capture(re *regexp.Regexp, match []string) {
	for i, name := range re.SubexpNames() {
		if name != "" {
			p.vars[name] = match[i]
		}
	}
}

// itself is the quoting of text that needs none.
func itself(s string) string { return s }

// simpleEscapes are the escapes of a C+ line that are one letter long.
var simpleEscapes = map[byte]byte{'r': '\r', 'n': '\n', 't': '\t', '0': 0, '\\': '\\'}

// unescape replaces the escapes of a C+ line by the bytes they stand for.
func unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", fmt.Errorf(`%q ends in the middle of an escape; write \\ for a backslash`, text)
		}
		if c, ok := simpleEscapes[text[i]]; ok {
			b.WriteByte(c)
			continue
		}
		if text[i] != 'x' || len(text) < i+3 {
			return "", fmt.Errorf(`%q has an escape other than \r \n \t \0 \\ and \xHH`, text)
		}
		n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf(`%q: \x wants two hexadecimal digits`, text)
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), nil
}
