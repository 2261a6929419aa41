package wire

import "time"

const months = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"

// Date reads a date of SEARCH, quoted or not, as midnight UTC: the date has no
// zone, and only its day counts.
func (d *Decoder) Date() time.Time {
	quoted := d.Special('"')
	year, month, day := d.ymd()
	if quoted {
		d.Expect('"')
	}
	return d.makeTime(time.Date(year, month, day, 0, 0, 0, 0, time.UTC), day)
}

// DateTime reads a quoted date-time, as of INTERNALDATE, with its zone. The
// leading space of a day below ten may be missing.
func (d *Decoder) DateTime() time.Time {
	d.Expect('"')
	d.Special(' ')
	year, month, day := d.ymd()
	d.SP()
	hour := d.digits(2, 23)
	d.Expect(':')
	minute := d.digits(2, 59)
	d.Expect(':')
	second := min(d.digits(2, 60), 59) // a leap second has no place in time.Time
	d.SP()
	zone := d.zone()
	d.Expect('"')
	return d.makeTime(time.Date(year, month, day, hour, minute, second, 0, zone), day)
}

// ymd reads 1*2DIGIT "-" date-month "-" 4DIGIT.
func (d *Decoder) ymd() (year int, month time.Month, day int) {
	width := 1
	if b := d.rest(); len(b) > 1 && class[b[1]]&charDigit != 0 {
		width = 2
	}
	day = d.digits(width, 31)
	d.Expect('-')
	month = d.month()
	d.Expect('-')
	return d.digits(4, 9999), month, day
}

func (d *Decoder) month() time.Month {
	b := d.rest()
	for i := 0; len(b) >= 3 && i < len(months); i += 3 {
		if equalFold(string(b[:3]), months[i:i+3]) {
			d.pos += 3
			return time.Month(i/3 + 1)
		}
	}
	d.fail("the name of a month")
	return 0
}

// digits reads exactly width digits, of a value up to limit.
func (d *Decoder) digits(width, limit int) int {
	b := d.rest()
	n := 0
	for i := range width {
		if i >= len(b) || class[b[i]]&charDigit == 0 {
			d.fail("a digit of a date")
			return 0
		}
		n = n*10 + int(b[i]-'0')
	}
	if n > limit {
		d.fail("a date that exists")
		return 0
	}
	d.pos += width
	return n
}

func (d *Decoder) zone() *time.Location {
	sign := 1
	if d.Special('-') {
		sign = -1
	} else {
		d.Expect('+')
	}
	offset := d.digits(2, 23) * 3600
	offset += d.digits(2, 59) * 60
	if offset == 0 || d.err != nil {
		return time.UTC
	}
	return time.FixedZone("", sign*offset)
}

// makeTime returns t, or fails if its day was not a day of that month.
func (d *Decoder) makeTime(t time.Time, day int) time.Time {
	if d.err == nil && t.Day() != day {
		d.fail("a date that exists")
	}
	if d.err != nil {
		return time.Time{}
	}
	return t
}

// Date writes the day of t as a date of SEARCH.
func (e *Encoder) Date(t time.Time) {
	e.sep()
	year, month, day := t.Date()
	if day >= 10 {
		e.b = append2(e.b, day)
	} else {
		e.b = append(e.b, byte('0'+day))
	}
	e.b = appendMonthYear(e.b, year, month)
}

// DateTime writes t as a quoted date-time in its own zone. A year that has not
// four digits is written as the nearest that has.
func (e *Encoder) DateTime(t time.Time) {
	e.sep()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b := append(e.b, '"')
	if day >= 10 {
		b = append2(b, day)
	} else {
		b = append(b, ' ', byte('0'+day))
	}
	b = append(appendMonthYear(b, year, month), ' ')
	b = append(append2(b, hour), ':')
	b = append(append2(b, minute), ':')
	b = append(append2(b, second), ' ')
	e.b = append(appendZone(b, t), '"')
}

func appendMonthYear(b []byte, year int, month time.Month) []byte {
	year = min(max(year, 0), 9999)
	i := int(month-1) * 3
	b = append(b, '-', months[i], months[i+1]|0x20, months[i+2]|0x20, '-')
	return append2(append2(b, year/100), year%100)
}

func appendZone(b []byte, t time.Time) []byte {
	_, offset := t.Zone()
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	b = append(b, sign)
	return append2(append2(b, offset/3600), offset/60%60)
}

// append2 appends n, below 100, in two digits.
func append2(b []byte, n int) []byte {
	return append(b, byte('0'+n/10), byte('0'+n%10))
}
