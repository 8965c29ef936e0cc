package weblog

import (
	"bytes"
	"time"
)

// A clock reads times. Logs repeat the day, the minute and the zone in line after line:
// what it has read of them last is kept.
type clock struct {
	minute  [17]byte // 17/May/2015:10:05
	began   int64    // of that minute, in seconds since 1970, as if in UTC
	zone    [5]byte  // +0200
	ahead   int64    // of UTC, in seconds
	day     [10]byte // 2015-05-17
	dayHas  int64
	local   *time.Location // of times that say none; nil is UTC
	pending int64          // W3C: the day of this line, in seconds; its time comes next
}

const second = int64(time.Second)

// time reads the time of a line.
func (p *Parser) time(k kind, v []byte) bool {
	at, ok := p.clock.read(k, v)
	if ok && k != dayOf {
		p.entry.At = at
	}
	return ok
}

func (c *clock) read(k kind, v []byte) (int64, bool) {
	switch k {
	case commonTime:
		return c.common(v)
	case bracketedTime:
		if len(v) < 2 || v[0] != '[' || v[len(v)-1] != ']' {
			return 0, false
		}
		return c.common(v[1 : len(v)-1])
	case haproxyTime:
		return c.haproxy(v)
	case isoTime:
		return c.iso(v)
	case unixSeconds:
		return epoch(v, 9)
	case unixMilli:
		return epoch(v, 6)
	case unixMicro:
		return epoch(v, 3)
	case dayOf:
		day, ok := c.date(v)
		c.pending = day
		return 0, ok
	case timeOf:
		t, rest, ok := hours(v)
		return c.pending*second + t, ok && len(rest) == 0
	case anyTime:
		return c.any(v)
	}
	return 0, false
}

// Requests of HTTP are of 1990 at the earliest, and nanoseconds end in 2262: what is of
// another time is a number of something else, or a slip.
const (
	earliest = 1990
	latest   = 2255
)

func credible(t time.Time) bool { return t.Year() >= earliest && t.Year() < latest }

// epoch reads a number of some unit since 1970.
func epoch(v []byte, digits int) (int64, bool) {
	n, ok := decimal(v, digits)
	return n, ok && credible(time.Unix(0, n).UTC())
}

// common reads 17/May/2015:10:05:03 +0200.
func (c *clock) common(v []byte) (int64, bool) {
	if len(v) != 26 || v[17] != ':' || v[20] != ' ' {
		return 0, false
	}
	if string(c.minute[:]) != string(v[:17]) && !c.turn(v[:17]) {
		return 0, false
	}
	if string(c.zone[:]) != string(v[21:]) && !c.move(v[21:]) {
		return 0, false
	}
	s, ok := twoDigits(v[18:], 60) // 60: a leap second
	return (c.began + s - c.ahead) * second, ok
}

// haproxy reads 17/May/2015:10:05:03.123.
func (c *clock) haproxy(v []byte) (int64, bool) {
	if len(v) < 20 || v[17] != ':' || len(v) > 20 && v[20] != '.' {
		return 0, false
	}
	if string(c.minute[:]) != string(v[:17]) && !c.turn(v[:17]) {
		return 0, false
	}
	s, ok := twoDigits(v[18:], 60)
	f, fine := fraction(v[20:])
	return (c.began+s-c.aheadAt(c.began+s))*second + f, ok && fine
}

// aheadAt is how far the zone of times that say none is ahead of UTC at a wall clock there.
// Of the hour that a clock has twice in autumn it is the first.
func (c *clock) aheadAt(wall int64) int64 {
	if c.local == nil {
		return 0
	}
	t := time.Unix(wall, 0).UTC()
	_, ahead := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, c.local).Zone()
	return int64(ahead)
}

// turn reads a day and a minute, and keeps them.
func (c *clock) turn(v []byte) bool {
	day, ok1 := twoDigits(v, 31)
	month := bytes.Index([]byte("JanFebMarAprMayJunJulAugSepOctNovDec"), v[3:6])
	year1, ok2 := twoDigits(v[7:], 99)
	year2, ok3 := twoDigits(v[9:], 99)
	hour, ok4 := twoDigits(v[12:], 23)
	minute, ok5 := twoDigits(v[15:], 59)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || month < 0 || month%3 != 0 || day == 0 ||
		v[2] != '/' || v[6] != '/' || v[11] != ':' || v[14] != ':' {
		return false
	}
	days := time.Date(int(100*year1+year2), time.Month(month/3+1), int(day), 0, 0, 0, 0, time.UTC)
	if days.Day() != int(day) || !credible(days) {
		return false
	}
	c.began = days.Unix() + hour*3600 + minute*60
	copy(c.minute[:], v)
	return true
}

// move reads a zone, +0200, and keeps it.
func (c *clock) move(v []byte) bool {
	ahead, ok := zone(v)
	if !ok {
		return false
	}
	c.ahead = ahead
	copy(c.zone[:], v)
	return true
}

// zone reads +0200, +02:00, +02 and Z as seconds ahead of UTC.
func zone(v []byte) (int64, bool) {
	if len(v) == 1 && (v[0] == 'Z' || v[0] == 'z') {
		return 0, true
	}
	if len(v) < 3 || len(v) > 6 || v[0] != '+' && v[0] != '-' {
		return 0, false
	}
	h, ok := twoDigits(v[1:], 23)
	rest := bytes.TrimPrefix(v[3:], []byte(":"))
	m := int64(0)
	if ok && len(rest) > 0 {
		if len(rest) != 2 {
			return 0, false
		}
		m, ok = twoDigits(rest, 59)
	}
	ahead := h*3600 + m*60
	if v[0] == '-' {
		ahead = -ahead
	}
	return ahead, ok
}

// iso reads 2015-05-17T10:05:03.123456+02:00 (RFC 3339, section 5.6), also with a blank
// instead of T, and in the zone of the machine where it says none.
func (c *clock) iso(v []byte) (int64, bool) {
	if len(v) < 19 || v[10] != 'T' && v[10] != 't' && v[10] != ' ' {
		return 0, false
	}
	day, ok := c.date(v[:10])
	if !ok {
		return 0, false
	}
	t, rest, ok := hours(v[11:])
	if !ok {
		return 0, false
	}
	ahead := int64(0)
	if len(rest) == 0 {
		ahead = c.aheadAt(day + t/second)
	} else {
		if ahead, ok = zone(bytes.TrimPrefix(rest, []byte(" "))); !ok {
			return 0, false
		}
	}
	return (day-ahead)*second + t, true
}

// date reads 2015-05-17 as seconds since 1970.
func (c *clock) date(v []byte) (int64, bool) {
	if len(v) != 10 {
		return 0, false
	}
	if string(c.day[:]) == string(v) {
		return c.dayHas, true
	}
	year1, ok1 := twoDigits(v, 99)
	year2, ok2 := twoDigits(v[2:], 99)
	month, ok3 := twoDigits(v[5:], 12)
	day, ok4 := twoDigits(v[8:], 31)
	if !ok1 || !ok2 || !ok3 || !ok4 || v[4] != v[7] || v[4] != '-' && v[4] != '/' {
		return 0, false
	}
	t := time.Date(int(100*year1+year2), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	if t.Day() != int(day) || int64(t.Month()) != month || !credible(t) {
		return 0, false
	}
	copy(c.day[:], v)
	c.dayHas = t.Unix()
	return c.dayHas, true
}

// hours reads 10:05:03.123 as nanoseconds since midnight, and returns what stands behind.
func hours(v []byte) (int64, []byte, bool) {
	if len(v) < 8 || v[2] != ':' || v[5] != ':' {
		return 0, nil, false
	}
	h, ok1 := twoDigits(v, 23)
	m, ok2 := twoDigits(v[3:], 59)
	s, ok3 := twoDigits(v[6:], 60)
	rest := v[8:]
	end := 0
	if len(rest) > 0 && (rest[0] == '.' || rest[0] == ',') {
		for end = 1; end < len(rest) && rest[end] >= '0' && rest[end] <= '9'; end++ {
		}
	}
	f, ok4 := fraction(rest[:end])
	return (h*3600+m*60+s)*second + f, rest[end:], ok1 && ok2 && ok3 && ok4
}

// fraction reads .123 as nanoseconds; what is finer is cut.
func fraction(v []byte) (int64, bool) {
	if len(v) == 0 {
		return 0, true
	}
	n, unit := int64(0), second
	for _, c := range v[1:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		unit /= 10
		n += int64(c-'0') * unit
	}
	return n, len(v) > 1
}

// any reads whatever a JSON log has for a time. A number is in the unit in which it is a
// time between 1990 and 2255: those of two units never meet.
func (c *clock) any(v []byte) (int64, bool) {
	if len(v) == 0 {
		return 0, false
	}
	if len(v) >= 19 && v[4] == '-' {
		return c.iso(v)
	}
	if len(v) >= 20 && v[2] == '/' {
		if len(v) == 26 && v[20] == ' ' {
			return c.common(v)
		}
		return c.haproxy(v)
	}
	for digits := 9; digits >= 0; digits -= 3 {
		if n, ok := epoch(v, digits); ok {
			return n, true
		}
	}
	return 0, false
}

func twoDigits(v []byte, most int64) (int64, bool) {
	tens, ones := v[0]-'0', v[1]-'0'
	n := int64(10*tens + ones)
	return n, tens <= 9 && ones <= 9 && n <= most
}
