package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/audit"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/finding"
	"linger/keepalive"
	"linger/report/formats"
	"linger/report/table"
	"linger/report/text"
	"linger/trace"
)

type inspectCmd struct {
	Files []string `arg:"" optional:"" name:"file" help:"Captures (pcap, pcapng, also .gz and .zst), or a .trace of records; - is standard input, as of tcpdump -w -."`
	Read  []string `short:"r" sep:"none" placeholder:"FILE" help:"A capture, as tcpdump has it."`

	NoNames bool `short:"n" name:"no-names" help:"Resolve no names of addresses, as of tcpdump: none ever is."`

	FromClient            string        `placeholder:"ADDRESS" help:"Look at connections of this client, or network (192.0.2.0/24)."`
	Origin                string        `placeholder:"NAME" help:"Look at connections to this origin, as clients name it."`
	Port                  uint16        `placeholder:"N" help:"Look at connections to this port of servers."`
	From                  string        `placeholder:"TIME" help:"Look at connections from then on: 15:04:05, 2006-01-02T15:04:05Z, or 90s after the beginning."`
	To                    string        `placeholder:"TIME" help:"Look at connections that were opened by then."`
	Filter                string        `placeholder:"WHAT" help:"Look at connections that fit this, as tcpdump has it: tcp port 80 and not net 10.0.0.0/8. src is the client, dst the server. It may stand behind the files, too."`
	Software              string        `placeholder:"NAME" help:"What servers or clients are, for the lines that end a cause: nginx, apache, haproxy, envoy, caddy, node, go, requests, java, ..."`
	Find                  string        `placeholder:"TEXT" help:"Show the connection on which the first request was whose URL holds this, and who closed it."`
	Redact                bool          `help:"Replace addresses and names by others, the same for the same, so that the result may be shared."`
	Wide                  bool          `help:"Show all: every cause, origin, client, limit and proxy."`
	ConnectionPool        int           `name:"connection-pool" placeholder:"N" help:"With --wide and in JSON: what if each client had kept at most N connections to an origin; default is what the remedies advise."`
	ConnectionIdleTimeout time.Duration `name:"connection-idle-timeout" placeholder:"TIME" help:"The same: for how long it had kept each."`

	MaxTracked int `name:"max-tracked" placeholder:"N" help:"How many connections may be open at once, which bounds memory."`

	Assert []string `sep:"none" placeholder:"WHAT" help:"A condition, as reuse>=0.95; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write too: .json, .txt, .csv (origins), .tsv (a line a connection), .xml (JUnit), .sarif, .prom (OpenMetrics), .pcapng (just the packets of avoidable connections, or with --find of those that it shows); - is standard output, in JSON. May stand several times."`
	JSON   bool     `help:"Print JSON, as -o -."`
}

// Run reads captures, finds why each connection was opened, and writes that.
func (c inspectCmd) Run(ctx context.Context, std streams) error {
	names, trailing := splitFilter(append(c.Read, c.Files...))
	if trailing != "" && c.Filter != "" {
		return usage("--filter and %q behind the files are two filters; join them by and", trailing)
	}
	c.Filter = cmp.Or(c.Filter, trailing)
	if len(names) == 0 {
		return usage("name a capture, as tcpdump -w writes it, or - for standard input")
	}
	if c.Software != "" && !keepalive.Settles(c.Software) {
		return usage("--software: there is nothing on %s; known are %s", c.Software, strings.Join(keepalive.Settled(), ", "))
	}
	if c.ConnectionPool < 0 || c.ConnectionIdleTimeout < 0 {
		return usage("--connection-pool and --connection-idle-timeout are of a pool that keeps something; write 8 and 60s")
	}
	asserted, err := assertions(c.Assert, audit.Vocabulary())
	if err != nil {
		return err
	}
	out, err := openOutputs(c.Output, c.JSON, std, append([]string{".json", ".txt", ".csv", ".tsv", ".pcapng"}, forPrograms...)...)
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	in := &inspection{cmd: c, progress: newReading(std, table.Clean(strings.Join(names, ", "))+": are connections reused, and why not"), lines: map[string]*formats.ConnectionLines{}}
	if std.env("GOGC") == "" {
		in.garbage = newCollector(c.MaxTracked)
		defer in.garbage.close()
	}
	in.whatIf = out.named(".json") != "" || out.layout(std.out).IsWide() || c.ConnectionPool > 0 || c.ConnectionIdleTimeout > 0
	in.picked.name = out.named(".pcapng")
	if err := in.picked.pickable(c, names); err != nil {
		return err
	}
	for _, f := range out.take(".tsv") {
		defer f.file.Close()
		in.lines[f.name] = formats.NewConnectionLines(f.file, '\t')
	}
	result, err := in.read(ctx, names, std)
	if err != nil {
		return err
	}
	if err := in.picked.write(c, names); err != nil {
		return err
	}
	for name, l := range in.lines {
		if err := l.Close(); err != nil {
			return statusError{exitMachine, fmt.Errorf("-o %s: %w", name, err)}
		}
	}
	for _, a := range asserted {
		result.Asserted = append(result.Asserted, a.Of(result.Figures()))
	}
	err = out.write(func(ending string, w io.Writer) error {
		switch ending {
		case ".xml", ".sarif", ".prom":
			return programs(ending, w, formats.Audit(result, version))
		case ".json":
			return formats.AuditJSON(w, result)
		case ".csv":
			return formats.AuditCSV(w, result)
		}
		if c.Find != "" {
			return in.found(w)
		}
		return text.Audit(w, result, out.layout(w))
	})
	if err == nil && ctx.Err() != nil {
		return statusError{status: exitInterrupted}
	}
	return cmp.Or(err, brokenOf(result.Asserted))
}

// An inspection is one reading of captures into an audit.
type inspection struct {
	cmd      inspectCmd
	progress *reading
	garbage  *collector // nil if the environment sets the pace
	audit    *audit.Auditor
	began    time.Time
	from, to linger.Instant
	client   netip.Prefix
	filter   pcapFilter
	key      []byte // of what is redacted
	lines    map[string]*formats.ConnectionLines
	hits     []hit
	rows     map[int64]audit.Row
	picked   selection
	whatIf   bool // some output has it
}

// A hit is a request that --find looks for.
type hit struct {
	trace.Exchange
}

// mostHits bounds how many requests --find keeps.
const mostHits = 1000

// read reads the files, of records or of packets, to their end or until it is interrupted.
func (in *inspection) read(ctx context.Context, names []string, std streams) (*audit.Result, error) {
	if err := in.filters(); err != nil {
		return nil, err
	}
	config := audit.Config{Software: in.cmd.Software, Each: in.each, WhatIf: in.whatIf, PoolSize: in.cmd.ConnectionPool, PoolIdle: in.cmd.ConnectionIdleTimeout}
	if len(names) == 1 && strings.EqualFold(filepath.Ext(names[0]), ".trace") {
		return in.records(ctx, names[0], config)
	}
	var inputs []pcap.Input
	for _, name := range names {
		if name == "-" {
			inputs = append(inputs, pcap.Input{Name: "standard input", From: in.progress.of(std.in)})
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, usage("cannot read the capture: %w", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			return nil, usage("%s is a folder; name the captures in it", name)
		}
		in.progress.expect(info)
		inputs = append(inputs, pcap.Input{Name: name, From: in.progress.of(f)})
	}
	files, err := pcap.Open(inputs)
	if err != nil {
		return nil, statusError{exitAssertion, err}
	}
	in.began = files.Began()
	if err := in.window(); err != nil {
		return nil, err
	}
	in.audit = audit.New(config)
	reader := packet.New(packet.Options{MaxTracked: in.cmd.MaxTracked}, in)
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if ctx.Err() != nil {
				break
			}
			in.garbage.adapt()
		}
		f, err := files.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = reader.Add(f)
		}
		if err != nil {
			return nil, err
		}
		in.progress.tell(n)
	}
	sum := reader.Finish()
	sum.Read(files)
	in.progress.clear()
	r := in.end(sum.Last.Or(0))
	if !in.began.IsZero() {
		r.Began = in.began.Format(time.RFC3339Nano)
	}
	err = in.summarize(r, &sum)
	if ctx.Err() != nil {
		r.Caveats = append(r.Caveats, finding.Caveat{Code: audit.CaveatFile, Subject: finding.Subject{Kind: "file", Name: "the recording"}, Figures: finding.Figures{finding.Word("reason", "interrupted")}})
	}
	return r, err
}

// records reads a stream of records.
func (in *inspection) records(ctx context.Context, name string, config audit.Config) (*audit.Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage("cannot read the records: %w", err)
	}
	defer f.Close()
	file, err := trace.Open(in.progress.of(f))
	if err != nil {
		return nil, usage("%s: %w", filepath.Base(name), err)
	}
	stream, err := file.Stream()
	if err != nil {
		return nil, usage("%s: %w", filepath.Base(name), err)
	}
	in.began, config.At = stream.Header.Began, stream.Header.At
	if err := in.window(); err != nil {
		return nil, err
	}
	in.audit = audit.New(config)
	var problem error
	n := 0
	for one, err := range stream.Records() {
		if n++; n%4096 == 0 {
			in.garbage.adapt()
		}
		if err != nil {
			problem = err
			break
		}
		if one.Connection != nil {
			err = in.WriteConnection(one.Connection)
		} else {
			err = in.WriteExchange(one.Exchange)
		}
		if err != nil || ctx.Err() != nil {
			return nil, cmp.Or(err, interruptedError(ctx))
		}
	}
	in.progress.clear()
	r := in.end(stream.End.Ended)
	if r.Files = []string{filepath.Base(name)}; in.cmd.Redact {
		r.Files = nil
	}
	if !in.began.IsZero() {
		r.Began = in.began.Format(time.RFC3339Nano)
	}
	if problem != nil {
		if r.Connections == 0 {
			return nil, statusError{exitAssertion, fmt.Errorf("%s: %w", filepath.Base(name), problem)}
		}
		r.Caveats = append(r.Caveats, finding.Caveat{Code: audit.CaveatFile, Subject: finding.Subject{Kind: "file", Name: filepath.Base(name)}, Figures: finding.Figures{finding.Word("reason", problem.Error())}})
	}
	return r, nil
}

func (in *inspection) end(at linger.Instant) *audit.Result {
	r := in.audit.End(at)
	r.Linger = version
	return r
}

// summarize adds what there is to say of the files.
func (in *inspection) summarize(r *audit.Result, sum *packet.Summary) error {
	caveat := func(code, subject string, n float64, name string, figures ...finding.Figure) {
		c := finding.Caveat{Code: code, Figures: append(finding.Figures{finding.Number(name, n, "")}, figures...)}
		if subject != "" {
			c.Subject = finding.Subject{Kind: "file", Name: subject}
		}
		r.Caveats = append(r.Caveats, c)
	}
	for i, f := range sum.Files {
		name := filepath.Base(f.Name)
		if in.cmd.Redact {
			name = fmt.Sprintf("file %d", i+1)
		}
		r.Files = append(r.Files, name)
		if f.Problem != nil {
			caveat(audit.CaveatFile, name, float64(f.Frames), "frames", finding.Word("reason", f.Problem.Error()))
		}
	}
	links := int64(0)
	for link, n := range sum.UnknownLinks {
		links += n
		caveat(audit.CaveatLink, "", float64(n), "frames", finding.Word("link", fmt.Sprint(link)))
	}
	if sum.Cut > 0 {
		caveat(audit.CaveatCut, "", float64(sum.Cut), "frames", finding.Number("bytes", float64(sum.CutAt), "bytes"))
	}
	if n := sum.Dropped.Or(0); n > 0 {
		caveat(audit.CaveatDropped, "", float64(n), "frames")
	}
	if sum.Jumps > 0 {
		caveat(audit.CaveatClock, "", float64(sum.Jumps), "times")
	}
	if n := sum.Malformed + sum.Incomplete; n > 0 {
		caveat(audit.CaveatBroken, "", float64(n), "frames")
	}
	if sum.Evicted > 0 {
		caveat(audit.CaveatEvicted, "", float64(sum.Evicted), "connections")
	}
	r.Recording = linger.Known(audit.Recording{
		Frames: sum.Frames, Bytes: sum.Bytes, Cut: sum.Cut, Dropped: sum.Dropped, Duplicates: sum.Duplicates, NotIP: sum.NotIP, Malformed: sum.Malformed,
		UnknownLinks: links, OtherUDP: sum.OtherUDP, Evicted: sum.Evicted, Missing: sum.Missing,
	})
	if sum.Frames == 0 || links == sum.Frames {
		for _, f := range sum.Files {
			if f.Problem != nil {
				return statusError{exitAssertion, fmt.Errorf("%s: %w", f.Name, f.Problem)}
			}
		}
	}
	if links > 0 && links == sum.Frames {
		kinds := slices.Sorted(maps.Keys(sum.UnknownLinks))
		return statusError{exitAssertion, fmt.Errorf("link type %s is not read, and there is no other; capture on another interface, or convert the file (editcap -T)", strings.Trim(fmt.Sprint(kinds), "[]"))}
	}
	return nil
}

// filters reads what is to be looked at, as far as that needs no file.
func (in *inspection) filters() error {
	if in.cmd.Redact {
		in.key = make([]byte, 32)
		rand.Read(in.key) // it never fails
	}
	if in.cmd.Filter != "" {
		f, err := parsePcapFilter(in.cmd.Filter)
		if err != nil {
			return usage("--filter: %w", err)
		}
		in.filter = f
	}
	if in.cmd.FromClient == "" {
		return nil
	}
	p, err := netip.ParsePrefix(in.cmd.FromClient)
	if err != nil {
		a, err := netip.ParseAddr(in.cmd.FromClient)
		if err != nil {
			return usage("--from-client: %q is no address and no network; write 192.0.2.7 or 192.0.2.0/24", in.cmd.FromClient)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	in.client = p
	return nil
}

// window reads --from and --to, which may be of the wall clock.
func (in *inspection) window() error {
	in.from, in.to = math.MinInt64, math.MaxInt64
	for _, f := range []struct {
		flag, text string
		at         *linger.Instant
	}{{"--from", in.cmd.From, &in.from}, {"--to", in.cmd.To, &in.to}} {
		if f.text == "" {
			continue
		}
		if d, err := time.ParseDuration(f.text); err == nil {
			*f.at = linger.Instant(d)
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, f.text)
		if err != nil {
			if t, err = time.Parse("15:04:05.999999999", f.text); err != nil {
				return usage("%s: %q is no time; write 15:04:05, 2006-01-02T15:04:05Z, or 90s after the beginning", f.flag, f.text)
			}
			day := in.began.UTC().Truncate(24 * time.Hour)
			t = day.Add(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
			if t.Before(in.began.Truncate(time.Second)) {
				t = t.Add(24 * time.Hour) // past midnight
			}
		}
		*f.at = linger.Instant(t.Sub(in.began))
	}
	return nil
}

// keep reports whether a connection is looked at. One that was opened before --from is
// one that began before.
func (in *inspection) keep(c *trace.Connection) bool {
	return in.originFits(c) && in.portFits(c.Server)
}

func (in *inspection) originFits(c *trace.Connection) bool {
	want := strings.ToLower(in.cmd.Origin)
	if want == "" {
		return true
	}
	name := strings.ToLower(cmp.Or(c.TLS.Or(trace.TLS{}).ServerName, c.Origin))
	bare, _, _ := strings.Cut(name, ":")
	return name == want || bare == want || c.Server == want || strings.HasPrefix(c.Server, want+":")
}

func (in *inspection) portFits(server string) bool {
	return in.cmd.Port == 0 || strings.HasSuffix(server, fmt.Sprintf(":%d", in.cmd.Port))
}

// Turn hands on that a connection comes or goes.
func (in *inspection) Turn(connection int64, at linger.Instant, client, server netip.Addr) {
	in.audit.Turn(connection, at, client, server)
}

// WriteExchange hands an exchange on.
func (in *inspection) WriteExchange(e *trace.Exchange) error {
	if find := in.cmd.Find; find != "" && len(in.hits) < mostHits && strings.Contains(e.URL, find) {
		x := *e
		x.URL = strings.Clone(e.URL)
		x.Method = strings.Clone(e.Method)
		in.hits = append(in.hits, hit{x})
	}
	if in.key != nil {
		x := *e
		x.URL, x.Client = in.hiddenURL(e.URL), ""
		return in.audit.WriteExchange(&x)
	}
	return in.audit.WriteExchange(e)
}

// WriteConnection hands a connection on, if it is in time.
func (in *inspection) WriteConnection(c *trace.Connection) error {
	one := *c
	in.picked.tunnel(c)
	if in.client.IsValid() {
		a, err := netip.ParseAddrPort(c.Client)
		if err != nil || !in.client.Contains(a.Addr().Unmap()) {
			return in.audit.Ignore(c.ID)
		}
	}
	if !in.keep(c) || in.filter != nil && !in.filter.fits(c) {
		return in.audit.Ignore(c.ID)
	}
	switch ended := c.Closed.Or(c.LastByte.Or(c.Dialled)); {
	case c.Dialled > in.to, c.Dialled < in.from && ended < in.from && !c.StillOpen:
		return in.audit.Ignore(c.ID)
	case c.Dialled < in.from:
		one.BeganBefore = true
	}
	if in.key != nil {
		in.hide(&one)
	}
	return in.audit.WriteConnection(&one)
}

// each takes in a connection whose cause is decided.
func (in *inspection) each(r audit.Row) {
	for _, l := range in.lines {
		l.Add(r) // an error stays, and Close returns it
	}
	found := in.cmd.Find == "" && r.Cause.Of().Avoidable
	for _, h := range in.hits {
		if h.Connection == r.ID {
			if in.rows == nil {
				in.rows = map[int64]audit.Row{}
			}
			in.rows[r.ID], found = r, true
			break
		}
	}
	in.picked.add(r, found)
}

// found writes the connections of the requests that --find looks for.
func (in *inspection) found(w io.Writer) error {
	if len(in.hits) == 0 {
		_, err := fmt.Fprintf(w, "No request has %q in its URL.\n", in.cmd.Find)
		return err
	}
	for i, h := range in.hits {
		if i == 5 {
			_, err := fmt.Fprintf(w, "%s more.\n", linger.Plural(len(in.hits)-i, "request"))
			return err
		}
		if _, err := fmt.Fprintf(w, "%s %s: status %d, request %d on its connection\n", h.Method, table.Clean(h.URL), h.Status, h.Number); err != nil {
			return err
		}
		if r, ok := in.rows[h.Connection]; ok {
			if err := text.Found(w, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// hide replaces addresses and names.
func (in *inspection) hide(c *trace.Connection) {
	c.Client, c.Server, c.Origin, c.ForwardedFor = in.hidden(c.Client), in.hidden(c.Server), in.hiddenName(c.Origin), ""
	if tls, ok := c.TLS.Get(); ok {
		tls.ServerName, tls.Names = in.hiddenName(tls.ServerName), nil
		c.TLS = linger.Known(tls)
	}
}

// hidden is an address and port with another address.
func (in *inspection) hidden(s string) string {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return in.hiddenName(s)
	}
	return fmt.Sprintf("host-%s:%d", in.keyed(a.Addr().Unmap().String()), a.Port())
}

func (in *inspection) hiddenName(s string) string {
	if s == "" {
		return ""
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return in.hidden(s)
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return "host-" + in.keyed(a.Unmap().String())
	}
	host, port, ok := strings.Cut(strings.ToLower(s), ":")
	if ok {
		port = ":" + port
	}
	return "name-" + in.keyed(host) + port
}

func (in *inspection) keyed(s string) string {
	h := hmac.New(sha256.New, in.key)
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))[:8]
}

// hiddenURL has another host; the path is compared, and never written.
func (in *inspection) hiddenURL(u string) string {
	scheme, rest, ok := strings.Cut(u, "://")
	if !ok {
		return u
	}
	host, path, _ := strings.Cut(rest, "/")
	return scheme + "://" + in.hiddenName(host) + "/" + path
}

// A reading tells on standard error how far captures have been read.
type reading struct {
	screen
	title        string
	total, taken int64
	began, last  time.Time
}

func newReading(std streams, title string) *reading {
	now := time.Now()
	layout := func() text.Options { return (&outputs{std: std}).layout(std.err) }
	return &reading{screen: newScreen(std, layout), title: title, began: now, last: now}
}

// of counts what is read.
func (p *reading) of(r io.Reader) io.Reader { return &counted{r, p} }

type counted struct {
	io.Reader
	p *reading
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.taken += int64(n)
	return n, err
}

// expect counts the size of a file.
func (p *reading) expect(info os.FileInfo) {
	if info != nil && info.Mode().IsRegular() {
		p.total += info.Size()
	}
}

// tell draws how far it has come, some times a second.
func (p *reading) tell(frames int) {
	if !p.moves || frames%8192 != 0 {
		return
	}
	now := time.Now()
	if now.Sub(p.last) < 200*time.Millisecond {
		return
	}
	p.last = now
	f := text.Files{Title: p.title, Taken: p.taken, Size: p.total, Frames: frames, Elapsed: now.Sub(p.began)}
	p.draw(f.Lines(p.layout(), p.rows()))
}
