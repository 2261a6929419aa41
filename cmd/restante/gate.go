package main

import (
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// encryptedOnly is the relay's gate: pgp.Inspect as a mailbox.Gate.
func encryptedOnly(o mailbox.GateOptions) mailbox.Judge {
	return inspector{pgp.NewInspector(pgp.InspectOptions{NullSender: o.NullSender, SecureJoin: true, Keep: o.Walk.Keep})}
}

type inspector struct{ *pgp.Inspector }

func (i inspector) Close() (*mime.Message, error) {
	if _, err := i.Inspector.Close(); err != nil {
		return nil, err
	}
	return i.Message(), nil
}
