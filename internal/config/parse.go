package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/BurntSushi/toml"
)

// maxFile is far beyond any configuration.
const maxFile = 256 << 10

// A Fault is one thing to change in a configuration.
type Fault struct {
	Key     string // in full, such as "limits.recipients"
	Problem string // what is wrong and what to write instead
}

func (f Fault) Error() string { return f.Key + ": " + f.Problem }

// Load reads the configuration file at path, as Parse does.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration: %w: name the file with --config, or write one with `restante setup`", err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("configuration: %w: run this as root or as the relay's user", err)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	c, err := Parse(f)
	if err != nil {
		return nil, fmt.Errorf("configuration %s:\n%w", path, err)
	}
	return c, nil
}

// Parse reads a configuration, fills in the defaults and checks it. All faults
// are joined in the error, as values of type Fault; text that is no TOML is an
// error of its own, which names the line.
//
// Settings that the last release renamed or removed are taken; [Outdated] tells of
// them.
func Parse(r io.Reader) (*Config, error) { return parse(r, outdated) }

func parse(r io.Reader, outdated []outdatedSetting) (*Config, error) {
	table, err := parseTable(r)
	if err != nil {
		return nil, err
	}
	c := Default()
	// What the file says is checked before the defaults that follow from it, so
	// that one bad folder is one fault and not one for each file in it.
	_, faults := renew(table, outdated)
	faults = append(append(faults, decode(table, c)...), c.faults()...)
	if len(faults) > 0 {
		return nil, join(faults)
	}
	c.Resolve()
	if err := c.Check(); err != nil {
		return nil, err
	}
	return c, nil
}

// parseTable reads a file without knowing what is in it.
func parseTable(r io.Reader) (map[string]any, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxFile)
	}
	table := map[string]any{}
	if _, err := toml.Decode(string(text), &table); err != nil {
		return nil, syntaxError(err)
	}
	return table, nil
}

// syntaxError words what the TOML decoder says.
func syntaxError(err error) error {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("line %d: %s", parse.Position.Line, parse.Message)
	}
	return err
}

// join makes one error of the faults. Of several for one key the first counts:
// what is wrong with the type of a value is also wrong with the value.
func join(faults []Fault) error {
	seen := map[string]bool{}
	var errs []error
	for _, f := range faults {
		if !seen[f.Key] {
			seen[f.Key] = true
			errs = append(errs, f)
		}
	}
	return errors.Join(errs...)
}

// Show writes the configuration as a file that says every setting. It holds no
// secrets, as Check admits none.
func (c *Config) Show(w io.Writer) error {
	enc := toml.NewEncoder(w)
	enc.Indent = ""
	if err := enc.Encode(c); err != nil {
		return fmt.Errorf("show configuration: %w", err)
	}
	return nil
}
