package mime

import (
	"strings"
	"time"
)

// ParseDate reads a date-time (RFC 5322, 3.3 and 4.3): with or without day name and seconds, with years of two to four
// digits, comments, and the obsolete zones. The time is in the zone of the date; a zone that cannot be read counts as
// UTC. It reports false, with the zero time, for what is no date.
func ParseDate(s string) (time.Time, bool) {
	p := dateParser{scanner{s: s}}
	p.dayName()
	day, okDay := p.number(1, 2)
	p.separator('-')
	month, okMonth := p.month()
	p.separator('-')
	year, okYear := p.year()
	hour, minute, second, okClock := p.clock()
	if !okDay || !okMonth || !okYear || !okClock || day < 1 || day > daysIn(month, year) {
		return time.Time{}, false
	}
	p.skipCFWS()
	zone := time.UTC
	if off := p.zone(); off != 0 {
		zone = time.FixedZone("", off*60)
	}
	return time.Date(year, month, day, hour, minute, second, 0, zone), true
}

type dateParser struct{ scanner }

// dayName passes the name of a day, of which nothing depends.
func (p *dateParser) dayName() {
	p.skipCFWS()
	p.letters()
	p.skip('.')
	p.skipCFWS()
	p.skip(',')
	p.skipCFWS()
}

func (p *dateParser) letters() string {
	start := p.i
	for p.more() && (p.s[p.i]|0x20) >= 'a' && (p.s[p.i]|0x20) <= 'z' {
		p.i++
	}
	return p.s[start:p.i]
}

// number reads a number of least to most digits.
func (p *dateParser) number(least, most int) (int, bool) {
	n, start := 0, p.i
	for p.more() && p.i-start < most && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		n = n*10 + int(p.s[p.i]-'0')
		p.i++
	}
	return n, p.i-start >= least
}

func (p *dateParser) separator(c byte) {
	p.skipCFWS()
	p.skip(c)
	p.skipCFWS()
}

// month reads a month by the first three letters of its name.
func (p *dateParser) month() (time.Month, bool) {
	name := p.letters()
	if len(name) < 3 {
		return 0, false
	}
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	i := strings.Index(names, strings.ToLower(name[:3]))
	return time.Month(i/3 + 1), i >= 0 && i%3 == 0
}

// year reads a year and completes short ones (RFC 5322, 4.3).
func (p *dateParser) year() (int, bool) {
	start := p.i
	y, ok := p.number(2, 4)
	switch digits := p.i - start; {
	case digits == 2 && y < 50:
		y += 2000
	case digits == 2 || digits == 3:
		y += 1900
	}
	return y, ok
}

// clock reads hour:minute and perhaps :second; a leap second is let through.
func (p *dateParser) clock() (h, m, s int, ok bool) {
	p.skipCFWS()
	h, okH := p.number(1, 2)
	p.skipCFWS()
	colon := p.skip(':')
	p.skipCFWS()
	m, okM := p.number(1, 2)
	p.skipCFWS()
	okS := true
	if p.skip(':') {
		p.skipCFWS()
		s, okS = p.number(1, 2)
	}
	return h, m, s, okH && colon && okM && okS && h < 24 && m < 60 && s <= 60
}

// zone reads a zone and returns its minutes east of UTC. Military letters say nothing reliable: they count as UTC.
func (p *dateParser) zone() int {
	sign := 0
	switch {
	case p.skip('+'):
		sign = 1
	case p.skip('-'):
		sign = -1
	default:
		return obsoleteZones[strings.ToUpper(p.letters())]
	}
	h, okH := p.number(2, 2)
	m, okM := p.number(2, 2)
	if !okH || !okM || h > 23 || m > 59 {
		return 0
	}
	return sign * (h*60 + m)
}

var obsoleteZones = map[string]int{
	"EDT": -4 * 60, "EST": -5 * 60, "CDT": -5 * 60, "CST": -6 * 60,
	"MDT": -6 * 60, "MST": -7 * 60, "PDT": -7 * 60, "PST": -8 * 60,
}

func daysIn(m time.Month, year int) int {
	switch m {
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
