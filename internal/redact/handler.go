package redact

import (
	"context"
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
)

// A Handler passes log records on to another handler with [Text] applied to the
// message, to the keys and to the values.
type Handler struct{ next slog.Handler }

var _ slog.Handler = (*Handler)(nil)

// NewHandler returns a handler in front of next. It may be used from any
// goroutine if next may.
func NewHandler(next slog.Handler) *Handler { return &Handler{next: next} }

// Enabled asks the handler behind.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes the record on. The attributes are resolved before, so that the
// handler behind sees no slog.LogValuer.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs returns a handler that adds the attributes to each record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{next: h.next.WithAttrs(attrList(attrs))}
}

// WithGroup returns a handler that puts what follows into a group.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{next: h.next.WithGroup(Text(name))}
}

func attr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: Text(a.Key), Value: value(a.Value.Resolve())}
}

func attrList(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = attr(a)
	}
	return clean
}

// value returns a value that is safe to log. Numbers and times are.
func value(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(Text(v.String()))
	case slog.KindGroup:
		return slog.GroupValue(attrList(v.Group())...)
	case slog.KindAny:
		return anyValue(v)
	default:
		return v
	}
}

// anyValue turns a value into its text. A type that does not say what its text
// is could hold anything: of it nothing is shown.
func anyValue(v slog.Value) slog.Value {
	switch x := v.Any().(type) {
	case nil:
		return v
	case []byte:
		return slog.StringValue(Text(string(x)))
	case error, fmt.Stringer, []string, []error:
		return slog.StringValue(Text(fmt.Sprint(x))) // Sprint survives nil pointers
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return slog.StringValue(Placeholder)
		}
		return slog.StringValue(Text(string(text)))
	default:
		return plainValue(reflect.ValueOf(x))
	}
}

// plainValue lets numbers and strings of named types through.
func plainValue(r reflect.Value) slog.Value {
	switch {
	case r.Kind() == reflect.String:
		return slog.StringValue(Text(r.String()))
	case r.Kind() == reflect.Bool:
		return slog.BoolValue(r.Bool())
	case r.CanInt():
		return slog.Int64Value(r.Int())
	case r.CanUint():
		return slog.Uint64Value(r.Uint())
	case r.CanFloat():
		return slog.Float64Value(r.Float())
	}
	return slog.StringValue(Placeholder)
}
