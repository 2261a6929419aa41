package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ready is what the file of --ready says once every port listens. Programs
// depend on it: fields are added, never renamed or removed.
type ready struct {
	SMTPS      string         `json:"smtps,omitempty"`
	Submission string         `json:"submission,omitempty"`
	MX         string         `json:"mx,omitempty"`
	IMAPS      string         `json:"imaps,omitempty"`
	IMAP       string         `json:"imap,omitempty"`
	HTTPS      string         `json:"https,omitempty"`
	HTTP       string         `json:"http,omitempty"`
	ACME       string         `json:"acme,omitempty"`
	Metrics    string         `json:"metrics,omitempty"`
	Domain     string         `json:"domain"`
	CAFile     string         `json:"ca_file,omitempty"`
	PID        int            `json:"pid"`
	Gate       bool           `json:"gate"`         // whether mail must be encrypted
	Inbound    string         `json:"inbound_auth"` // what mail from other relays must prove
	Accounts   []readyAccount `json:"accounts,omitempty"`
}

type readyAccount struct {
	Address  string `json:"address"`
	Password string `json:"password"`
}

// write puts the file in place.
func (r ready) write(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeReady(file, b)
}

// writeReady puts a ready file in place whole, so that whoever waits for it never reads
// half of it. It can hold passwords, so only its owner can read it.
func writeReady(file string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".ready-*") // mode 0600
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	_, err = f.Write(append(content, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}
