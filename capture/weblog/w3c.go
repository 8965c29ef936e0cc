package weblog

import (
	"bytes"
	"strings"
)

// w3cNames: the W3C's Extended Log File Format (https://www.w3.org/TR/WD-logfile), with the
// fields that IIS and CloudFront write. Both write a line when the answer has been sent,
// and their times are in UTC.
var w3cNames = map[string]directive{
	"date": {field: Time, kind: dayOf, clock: AtEnd}, "time": {field: Time, kind: timeOf, clock: AtEnd},
	"c-ip": {field: Client}, "c-port": {field: ClientPort, kind: number},
	"time-taken": {field: Duration, kind: milliseconds},
	"sc-status":  {field: Status}, "sc-bytes": {field: Sent, kind: number}, "cs-bytes": {field: Received, kind: number},
	"cs-method": {field: Method}, "cs-uri-stem": {field: URI}, "cs(host)": {field: Host}, "cs-host": {field: Host},
	"x-host-header": {field: Host}, "cs(user-agent)": {field: Agent}, "x-forwarded-for": {field: Forwarded},
	"cs(x-forwarded-for)": {field: Forwarded}, "ssl-protocol": {field: TLS},
	"cs-version": {field: Protocol}, "cs-protocol-version": {field: Protocol},
}

// ofDirective makes a layout of the line that begins with #Fields; nil if there is none, or
// if it says no time.
func ofDirective(lines [][]byte) *Layout {
	if lines[0][0] != '#' {
		return nil
	}
	separator := " "
	for _, line := range lines {
		if line[0] != '#' && bytes.IndexByte(line, '\t') >= 0 {
			separator = "\t"
		}
	}
	for _, line := range lines {
		if l := w3cLayout(line, separator); l != nil {
			return l
		}
	}
	return nil
}

func w3cLayout(line []byte, separator string) *Layout {
	names, ok := strings.CutPrefix(string(line), "#Fields:")
	if !ok {
		return nil
	}
	l := &Layout{Name: "W3C extended", w3c: true}
	cloudfront := strings.Contains(names, "x-edge-")
	switch {
	case cloudfront:
		l.Name = "CloudFront"
	case strings.Contains(names, "sc-win32-status"):
		l.Name = "IIS"
	}
	var pieces []piece
	for name := range strings.FieldsSeq(names) {
		d := w3cNames[strings.ToLower(name)]
		if d.field == Duration && l.Name != "IIS" { // IIS alone has milliseconds
			d.kind = seconds
		}
		if len(pieces) > 0 {
			pieces = append(pieces, literal(separator))
		}
		pieces = append(pieces, valueOf(d))
	}
	if l.compile(pieces) != nil {
		return nil
	}
	return l
}

// directive takes a line that begins with # and says what the ones behind it hold.
func (p *Parser) directive(line []byte) {
	p.Comments++
	separator := " "
	if len(p.layout.steps) > 1 {
		separator = p.layout.steps[0].after
	}
	if l := w3cLayout(line, separator); l != nil {
		p.use(l.steps)
	}
}
