package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/restante/restante/gateway"
)

// sheet is the recovery sheet: all that another machine needs.
type sheet struct {
	Address, User, Password string
	IMAP, SMTP              string
	Proxy                   string // "" for most
	Code                    string
}

// The names of its lines, which are read again by parseSheet.
const (
	sheetAddress  = "Address"
	sheetUser     = "User name"
	sheetPassword = "Account password"
	sheetIMAP     = "IMAP server"
	sheetSMTP     = "SMTP server"
	sheetProxy    = "Proxy"
	sheetCode     = "Recovery code"
)

func sheetOf(o *openedGateway) (sheet, error) {
	a, err := gateway.LoadAccount(o.vault)
	if err != nil {
		return sheet{}, err
	}
	s := sheet{Address: a.Address, User: a.User, Password: a.Password, IMAP: a.IMAPS, SMTP: a.SMTPS, Proxy: a.Proxy}
	s.Code, err = gateway.RecoveryCode(o.vault)
	return s, err
}

func (s sheet) print(w io.Writer) {
	fmt.Fprintln(w, "Recovery sheet: print it or write it down, and keep it away from this machine")
	rows := [][2]string{{sheetAddress, s.Address}}
	if s.User != "" {
		rows = append(rows, [2]string{sheetUser, s.User})
	}
	rows = append(rows, [][2]string{
		{sheetPassword, s.Password}, {sheetIMAP, s.IMAP}, {sheetSMTP, s.SMTP},
	}...)
	if s.Proxy != "" {
		rows = append(rows, [2]string{sheetProxy, s.Proxy})
	}
	rows = append(rows, [2]string{sheetCode, s.Code})
	for i := range rows {
		rows[i][0] = "  " + rows[i][0]
	}
	printTable(w, rows)
	fmt.Fprintln(w, wrapLines("With it `restante gateway restore` brings your keys, contacts and groups to a new machine. Whoever finds it reads your mail.", terminalWidth(w)))
}

// maxSheet bounds a file with a sheet in it.
const maxSheet = 64 << 10

// parseSheet reads what print wrote, alone or among other lines. What is missing is
// empty.
func parseSheet(r io.Reader) (sheet, error) {
	var s sheet
	fields := map[string]*string{
		sheetAddress: &s.Address, sheetUser: &s.User, sheetPassword: &s.Password, sheetIMAP: &s.IMAP, sheetSMTP: &s.SMTP,
		sheetProxy: &s.Proxy, sheetCode: &s.Code,
	}
	lines := bufio.NewScanner(io.LimitReader(r, maxSheet))
	for lines.Scan() {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "  ")
		if field := fields[strings.TrimSpace(name)]; ok && field != nil {
			*field = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return s, fmt.Errorf("recovery sheet: %w", err)
	}
	if s == (sheet{}) {
		return s, errors.New("there is no recovery sheet in the file")
	}
	return s, nil
}
