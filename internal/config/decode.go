package config

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// decode sets the fields of c that the table has, and goes on after a fault so
// that all come to light at once.
func decode(table map[string]any, c *Config) []Fault {
	d := decoder{known: allKeys()}
	d.table("", table, reflect.ValueOf(c).Elem())
	return d.faults
}

// A decoder collects the faults of one file.
type decoder struct {
	known  []string // all keys there are, in full
	faults []Fault
}

func (d *decoder) fault(key, problem string) {
	d.faults = append(d.faults, Fault{Key: key, Problem: problem})
}

// table sets the fields of dst from a table whose keys begin with prefix.
func (d *decoder) table(prefix string, table map[string]any, dst reflect.Value) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		key := prefix + name
		field, ok := fieldOf(dst, name)
		if !ok {
			d.fault(key, unknownKey(key, d.known))
			continue
		}
		d.value(key, table[name], field)
	}
}

// A tomlValue is a type that reads itself from the value of a key.
type tomlValue interface{ UnmarshalTOML(value any) error }

// value sets one field.
func (d *decoder) value(key string, value any, field reflect.Value) {
	var err error
	switch target := field.Addr().Interface().(type) {
	case tomlValue:
		err = target.UnmarshalTOML(value)
	case *string:
		*target, err = asString(value)
	case *int:
		*target, err = asInt(value)
	case *bool:
		*target, err = asBool(value)
	case *[]string:
		*target, err = asStrings(value)
	case *[]netip.Prefix:
		*target, err = asPrefixes(value)
	default:
		sub, ok := value.(map[string]any)
		if !ok {
			d.fault(key, fmt.Sprintf("write a table, which begins with the line [%s]", key))
			return
		}
		d.table(key+".", sub, field)
	}
	if err != nil {
		d.fault(key, err.Error())
	}
}

func asString(value any) (string, error) {
	s, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("write text in quotation marks")
	}
	return s, nil
}

func asBool(value any) (bool, error) {
	b, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("write true or false, without quotes")
	}
	return b, nil
}

func asInt(value any) (int, error) {
	n, ok := value.(int64)
	if !ok || int64(int(n)) != n {
		return 0, fmt.Errorf("write a whole number")
	}
	return int(n), nil
}

func asStrings(value any) ([]string, error) {
	items, ok := value.([]any)
	texts := make([]string, 0, len(items))
	for _, item := range items {
		text, isText := item.(string)
		ok = ok && isText
		texts = append(texts, text)
	}
	if !ok {
		return nil, fmt.Errorf(`write a list such as ["192.0.2.1:53"]`)
	}
	return texts, nil
}

// asPrefixes reads a list of IP prefixes; an address is a prefix of its own.
func asPrefixes(value any) ([]netip.Prefix, error) {
	items, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf(`write a list such as ["192.0.2.1", "10.0.0.0/8"]`)
	}
	prefixes := make([]netip.Prefix, 0, len(items))
	for _, item := range items {
		p, err := asPrefix(item)
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

func asPrefix(value any) (netip.Prefix, error) {
	text, _ := value.(string)
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf(`%v is no IP address and no prefix; write one such as "192.0.2.1" or "10.0.0.0/8"`, value)
	}
	return p, nil
}

// fieldOf returns the field that a key of its table names.
func fieldOf(dst reflect.Value, name string) (reflect.Value, bool) {
	for i := range dst.NumField() {
		if dst.Type().Field(i).Tag.Get("toml") == name {
			return dst.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// allKeys returns all keys of a configuration, tables included.
func allKeys() []string { return keysOf(reflect.TypeFor[Config](), "") }

// keysOf returns all keys below a type, tables included.
func keysOf(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("toml")
		keys = append(keys, key)
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(f.Type, key+".")...)
		}
	}
	return keys
}

// unknownKey words the fault of a key that does not exist.
func unknownKey(key string, known []string) string {
	if near := nearest(key, known); near != "" {
		return fmt.Sprintf("there is no such setting; did you mean %s?", near)
	}
	return "there is no such setting; config.example.toml has all of them"
}

// nearest returns the known key that key is most likely to stand for: the same
// name in another table, or a few slips of the hand away; "" if there is none.
func nearest(key string, known []string) string {
	best, least := "", len(key)/3+2
	for _, k := range known {
		if lastName(k) == lastName(key) {
			return k
		}
		if n := distance(key, k); n < least {
			best, least = k, n
		}
	}
	return best
}

func lastName(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// distance is the number of bytes to insert, delete or replace to make b of a
// (Levenshtein's), for names as short as keys.
func distance(a, b string) int {
	a = a[:min(len(a), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
