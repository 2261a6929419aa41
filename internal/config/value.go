package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Size is a number of bytes. It is written as a whole number or, as a string,
// with a unit of 1024 bytes or a power of it.
type Size int64

// A Duration is a length of time, written as a string such as "30s" or "1h30m".
type Duration time.Duration

// sizeUnits are the units of sizes, the largest first, so that the first that
// divides a size is the one to print it in.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}}

var (
	errSize     = errors.New(`write bytes as a whole number, or a size such as "64KB", "30MB" or "1GB"`)
	errDuration = errors.New(`write a duration such as "30s", "5m" or "24h"`)
)

// UnmarshalTOML reads a size from the value of a key.
func (s *Size) UnmarshalTOML(value any) error {
	switch v := value.(type) {
	case int64:
		*s = Size(v)
		return nil
	case string:
		n, err := parseSize(v)
		*s = n
		return err
	}
	return errSize
}

func parseSize(text string) (Size, error) {
	unit := int64(1)
	for _, u := range sizeUnits {
		if digits, ok := strings.CutSuffix(strings.ToUpper(text), u.name); ok {
			text, unit = strings.TrimSpace(digits), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, errSize
	}
	return Size(n * unit), nil
}

// String prints the size with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText prints the size as the file has it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalTOML reads a duration from the value of a key.
func (d *Duration) UnmarshalTOML(value any) error {
	text, ok := value.(string)
	if !ok {
		return errDuration
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return errDuration
	}
	*d = Duration(v)
	return nil
}

// String prints the duration without the units that are zero.
func (d Duration) String() string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText prints the duration as the file has it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
