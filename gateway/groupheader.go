package gateway

import (
	stdmime "mime"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// encodeWords returns text as a header field may hold it (RFC 2047).
func encodeWords(text string) string { return stdmime.QEncoding.Encode("utf-8", text) }

// decodeWords is the reverse; what can't be read stays as it is.
func decodeWords(value string) string {
	text, err := new(stdmime.WordDecoder).DecodeHeader(value)
	if err != nil {
		text = value
	}
	return oneLine(text)
}

// fields returns the header fields that a mail to the group has, in place of the To of
// the user's client. The addresses, the times and the fingerprints go in one order.
func (g Group) fields(own addr.Address) []pgp.Field {
	var to, past, times, prints []string
	note := func(m Member, at int64) {
		times = append(times, strconv.FormatInt(at, 10))
		if m.Fingerprint != "" {
			prints = append(prints, string(m.Fingerprint))
		}
	}
	everybody := len(g.others(own)) == 0
	listed := 0
	for _, m := range g.Members() {
		if !m.Address.Equal(own) || everybody {
			to = append(to, "<"+m.Address.String()+">")
			note(m, m.Added)
			listed++
		}
	}
	for _, m := range g.People {
		if !m.In() {
			past = append(past, "<"+m.Address.String()+">")
			note(m, m.Removed)
			listed++
		}
	}
	list := []pgp.Field{
		{Name: "To", Value: strings.Join(to, ", ")},
		{Name: "Chat-Group-ID", Value: g.ID},
		{Name: "Chat-Group-Name", Value: encodeWords(g.Name)},
		{Name: "Chat-Group-Member-Timestamps", Value: strings.Join(times, " ")},
	}
	if g.NameAt > 0 {
		list = append(list, pgp.Field{Name: "Chat-Group-Name-Timestamp", Value: strconv.FormatInt(g.NameAt, 10)})
	}
	if len(past) > 0 {
		list = append(list, pgp.Field{Name: "Chat-Group-Past-Members", Value: strings.Join(past, ", ")})
	}
	if len(prints) == listed {
		list = append(list, pgp.Field{Name: "Chat-Group-Member-Fpr", Value: strings.Join(prints, " ")})
	}
	return list
}

// shownAs returns the fields by which the user's mail client sees a mail of the group:
// an answer to all goes to the group.
func (g Group) shownAs() string {
	var members []string
	for _, m := range g.Members() {
		members = append(members, m.Address.String())
	}
	name := strings.NewReplacer(`"`, "'", `\`, "").Replace(g.Name)
	if encoded := encodeWords(name); encoded != name {
		name = encoded
	} else {
		name = `"` + name + `"`
	}
	return "To: " + name + " <" + g.Address().String() + ">\r\n" +
		"X-Restante-Group: " + strings.Join(members, ",\r\n ") + "\r\n"
}

// futureTolerance is how far in the future times of other people's clocks may lie.
const futureTolerance = 60

// readGroupMail returns what the header of a mail says of its group. It reports false
// if it names none. signer is the key that signed the mail.
func readGroupMail(header []pgp.Field, from addr.Address, signer pgp.Fingerprint, at, now time.Time) (groupMail, bool) {
	get := func(name string) string { v, _ := findField(header, name); return v }
	m := groupMail{id: get("Chat-Group-ID"), name: decodeWords(get("Chat-Group-Name")), at: at.Unix()}
	if !isToken(m.id) {
		return groupMail{}, false
	}
	_, m.renamed = findField(header, "Chat-Group-Name-Changed")
	latest := now.Unix() + futureTolerance
	m.nameAt = min(number(get("Chat-Group-Name-Timestamp")), latest)
	m.from = Member{Address: from, Fingerprint: signer}
	m.added, _ = addr.Parse(strings.Trim(get("Chat-Group-Member-Added"), "<> "))
	m.removed, _ = addr.Parse(strings.Trim(get("Chat-Group-Member-Removed"), "<> "))
	m.to, m.past = people(get("To")), people(get("Chat-Group-Past-Members"))
	m.setTimes(strings.Fields(get("Chat-Group-Member-Timestamps")), latest)
	m.setPrints(strings.Fields(get("Chat-Group-Member-Fpr")))
	return m, true
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// people reads a list of addresses, each of which stands for a member; one that can't
// be read keeps its place.
func people(value string) []Member {
	var list []Member
	for _, a := range mime.ParseAddressList(value) {
		if a.IsGroupStart() || a.IsGroupEnd() {
			continue
		}
		parsed, _ := parseMailbox(a)
		list = append(list, Member{Address: parsed})
	}
	return list
}

// setTimes enters when each member came or went, if there is a time for each.
func (m *groupMail) setTimes(times []string, latest int64) {
	m.timed = len(times) == len(m.to)+len(m.past)
	if m.timed {
		for i := range m.to {
			m.to[i].Added = min(number(times[i]), latest)
		}
		for i := range m.past {
			m.past[i].Removed = max(1, min(number(times[len(m.to)+i]), latest))
		}
	}
}

// setPrints enters the members' keys, if there is one for each, and drops those whose
// address could not be read.
func (m *groupMail) setPrints(prints []string) {
	if len(prints) == len(m.to)+len(m.past) {
		for i := range m.to {
			m.to[i].Fingerprint = pgp.Fingerprint(strings.ToUpper(prints[i]))
		}
		for i := range m.past {
			m.past[i].Fingerprint = pgp.Fingerprint(strings.ToUpper(prints[len(m.to)+i]))
		}
	}
	m.to, m.past = readable(m.to), readable(m.past)
}

func readable(list []Member) []Member {
	var kept []Member
	for _, m := range list {
		if !m.Address.IsZero() {
			kept = append(kept, m)
		}
	}
	return kept
}
