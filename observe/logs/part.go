package logs

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strconv"

	"linger/capture/weblog"
	"linger/fault"
	"linger/observe"
	"linger/report/table"
	"linger/tune"
)

// A part is one file of a log.
type part struct {
	name   string
	source *weblog.Source
	layout *weblog.Layout
	parser *weblog.Parser
	of     arrivals
	block  []byte // the first, which has been read to find the layout
	first  int64  // time of the first entry

	lines, bad int64
	firstBad   string
	problem    error
	rtt        rttSample
}

// An rttSample is the round trips that a log has, in a bounded number.
type rttSample struct {
	list []int64
	n    int
}

func (s *rttSample) add(v int64) {
	const most = 1 << 12
	if s.n++; len(s.list) < most {
		s.list = append(s.list, v)
	} else if s.n%(1+s.n/most) == 0 {
		s.list[s.n%most] = v
	}
}

// part begins to read a file; nil if it is empty.
func (l Log) part(from observe.Source) (_ *part, err error) {
	p := &part{name: filepath.Base(from.Name)}
	if p.source, err = weblog.NewSource(from.From); err != nil {
		return nil, fault.Unmet("%s: %w", p.name, err)
	}
	defer func() {
		if p.parser == nil || err != nil {
			p.source.Close()
		}
	}()
	p.block, err = p.source.Next(make([]byte, weblog.BlockSize))
	if err == io.EOF && p.source.TooLong > 0 {
		return nil, fault.Unmet("%s: all that it has are lines of more than %d KiB: it is no access log", p.name, weblog.MaxLine>>10)
	}
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Unmet("%s: %w", p.name, err)
	}
	if p.layout, err = l.layout(p.name, p.block); err != nil {
		return nil, err
	}
	if p.parser, err = l.parser(p.layout); err != nil {
		return nil, err
	}
	p.of = arrivals{layout: p.layout, forwarded: l.Forwarded}
	begun, err := l.parser(p.layout) // of its own, since a parser counts lines
	if err != nil {
		return nil, err
	}
	begun.Reset(p.block)
	if e, ok := begun.Next(); ok {
		p.first = e.At
		return p, nil
	}
	line, _, _ := bytes.Cut(p.block, []byte("\n"))
	return nil, fault.Unmet("%s: no line is of the format (%s); the first is %s", p.name, p.layout.Name, strconv.Quote(table.Short(string(line[:min(len(line), 200)]), 100)))
}

// layout finds the format of a file, of which block is the beginning.
func (l Log) layout(name string, block []byte) (found *weblog.Layout, err error) {
	flag := ""
	switch {
	case l.Fields != "":
		found, err = weblog.ParseJSON(l.Fields, weblog.Unstated)
		flag = "--log-fields: "
	case l.Format != "":
		found, err = weblog.Parse("", l.Format)
		flag = "--log-format: "
	default:
		if found, err = weblog.Detect(block); err != nil {
			return nil, fault.Unmet("%s: %w", name, err)
		}
	}
	if err != nil {
		return nil, fault.Usage("%s%w", flag, err)
	}
	switch l.Clock {
	case "start":
		found.Clock = weblog.AtStart
	case "end":
		found.Clock = weblog.AtEnd
	}
	return found, nil
}

// wanted are the fields that are read.
func (l Log) wanted(layout *weblog.Layout) weblog.Fields {
	want := weblog.Of(weblog.Client, weblog.Duration, weblog.Connection, weblog.ClientPort, weblog.Number, weblog.TLS, weblog.Protocol, weblog.RTT, weblog.Resumed)
	if !layout.Has.Has(weblog.Protocol) {
		want |= weblog.Of(weblog.Request)
	}
	if l.Forwarded || !layout.Has.Has(weblog.Client) {
		want |= weblog.Of(weblog.Forwarded)
	}
	return want
}

// parser returns one of a layout that has what is needed.
func (l Log) parser(layout *weblog.Layout) (*weblog.Parser, error) {
	if l.Forwarded && !layout.Has.Has(weblog.Forwarded) {
		return nil, fault.Usage("--by forwarded: the format (%s) has no X-Forwarded-For", layout.Name)
	}
	if !layout.Has.Has(weblog.Client) && !layout.Has.Has(weblog.Forwarded) {
		return nil, fault.Usage("the format (%s) has no address of the client: whose requests share a connection is not known", layout.Name)
	}
	p := weblog.NewParser(layout, l.wanted(layout))
	p.SetZone(l.Zone)
	return p, nil
}

// read reads the file to its end, or until it is interrupted.
func (p *part) read(ctx context.Context, s *stream) {
	parser := p.parser
	parser.OnBad = func(line []byte) {
		if p.firstBad == "" {
			p.firstBad = table.Short(string(line[:min(len(line), 200)]), 80)
		}
	}
	block, err := p.block, error(nil)
	buf := make([]byte, weblog.BlockSize)
	batch := make([]tune.Arrival, 0, batchSize)
	hand := func() bool {
		select {
		case s.batches <- batch:
		case <-ctx.Done():
			return false
		}
		select {
		case batch = <-s.spare:
		default:
			batch = make([]tune.Arrival, 0, batchSize)
		}
		return true
	}
	for ; err == nil; block, err = p.source.Next(buf) {
		parser.Reset(block)
		for {
			e, ok := parser.Next()
			if !ok {
				break
			}
			if e.RTT > 0 {
				p.rtt.add(e.RTT)
			}
			if batch = append(batch, p.of.of(e)); len(batch) == batchSize && !hand() {
				return
			}
		}
		p.lines, p.bad = parser.Lines+p.source.TooLong, parser.Bad+p.source.TooLong
	}
	if len(batch) > 0 {
		hand()
	}
	if err != io.EOF {
		p.problem = err
	}
}
