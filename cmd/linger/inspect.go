package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"linger/audit"
	"linger/audit/predict"
	"linger/audit/timeline"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/keepalive"
	"linger/observe"
	"linger/report/document"
	"linger/report/formats"
	"linger/report/table"
	"linger/report/text"
	"linger/report/words"
	"linger/whole"
)

type inspectCmd struct {
	Files []string `arg:"" optional:"" name:"file" help:"Captures (pcap, pcapng, also .gz and .zst), HARs, logs of Zeek, qlogs, or a .trace: what it is, its first bytes say. - is standard input, as of tcpdump -w -."`
	Read  []string `short:"r" sep:"none" placeholder:"FILE" help:"A capture, as tcpdump has it."`

	KeyLog []string `name:"keylog" sep:"none" placeholder:"FILE" help:"Read what is encrypted, by the TLS keys in this file, as curl, Chrome and Firefox write it that are started with SSLKEYLOGFILE=FILE, and Node with --tls-keylog=FILE. May stand several times; - is standard input. Keys within a pcapng are used anyway."`

	Join bool `help:"Two captures of one traffic, the one at the client first and the one at the server behind it, are joined: which connections both hold, how far their clocks are apart, and what a device in between did. See docs/joined.md."`

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
	WhatIf                []string      `name:"what-if" sep:"none" placeholder:"SETTINGS" help:"Predict what the same requests would have taken with other settings, all else as it was: idle=75s (clients keep connections for so long), connections=6 (of a client to an origin), order=mru or lru (which idle one is taken), server-idle=75s, max-requests=1000 (limits of the server), h2, resume; or several, as connections=6,idle=90s. May stand several times."`
	ConnectionPool        int           `name:"connection-pool" placeholder:"N" help:"With --wide and in JSON: what if each client had kept at most N connections to an origin; default is what the remedies advise."`
	ConnectionIdleTimeout time.Duration `name:"connection-idle-timeout" placeholder:"TIME" help:"The same: for how long it had kept each."`

	MaxTracked int `name:"max-tracked" placeholder:"N" help:"How many connections may be open at once, which bounds memory."`

	Assert []string `sep:"none" placeholder:"WHAT" help:"A condition, as reuse>=0.95; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write too: .json, .html (connections over time, findings first), .txt, .csv (origins), .tsv (a line a connection), .parquet (records, which inspect reads again), .xml (JUnit), .sarif, .prom (OpenMetrics), .pcapng (just the packets of avoidable connections, or with --find of those that it shows); - is standard output, in JSON. May stand several times."`
	JSON   bool     `help:"Print JSON, as -o -."`
}

// Run reads captures, finds why each connection was opened, and writes that.
func (c inspectCmd) Run(ctx context.Context, std console.Streams) error {
	names, reading, err := c.parse()
	if err != nil {
		return err
	}
	asserted, err := flags.Assertions(c.Assert, audit.Vocabulary())
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, append([]string{".json", ".html", ".txt", ".csv", ".tsv", ".parquet", ".pcapng"}, formats.Endings...)...)
	if err != nil {
		return err
	}
	defer out.Discard()
	if err := c.pickable(out, names); err != nil {
		return err
	}
	files, err := out.Take(".tsv")
	if err != nil {
		return err
	}
	lines := document.NewConnectionLines(files)
	if files, err = out.Take(".parquet"); err != nil {
		return err
	}
	rows := document.NewRows(files)
	progress := console.NewReading(std, table.Clean(strings.Join(names, ", "))+": are connections reused, and why not")
	if reading.Audit.Grid = out.Named(".html") != ""; reading.Audit.Grid {
		reading.Timeline = timeline.New()
	}
	reading.Audit.WhatIf = out.Named(".json") != "" || reading.Timeline != nil || out.Layout(std.Out).IsWide() || c.ConnectionPool > 0 || c.ConnectionIdleTimeout > 0
	reading.Audit.Each, reading.Rows = func(r audit.Row) { lines.Add(r); rows.Add(r) }, rows.Writers
	reading.Pick, reading.Tell = out.Named(".pcapng") != "", progress.Tell
	if std.Env("GOGC") == "" {
		reading.Pace = observe.NewPace(c.MaxTracked)
		defer reading.Pace.Close()
	}
	seen, err := c.read(ctx, std, reading, names, progress)
	progress.Clear()
	if err == nil {
		picked := names
		if c.Join {
			picked = names[:1] // the frames that records name are the client's
		}
		err = pickPackets(out.Named(".pcapng"), picked, seen)
	}
	if err == nil {
		err = lines.End()
	}
	if err == nil {
		of := seen.Recording()
		of.Linger = version
		err = rows.End(of, seen.Result)
	}
	if err != nil {
		return err
	}
	seen.Linger = version
	for _, a := range asserted {
		seen.Asserted = append(seen.Asserted, a.Of(seen.Figures()))
	}
	if note := words.AuditAsserted(seen.Result); note != "" {
		std.Note("%s", note)
	}
	err = writeAs(out, "", false, func(w io.Writer, ending string, o document.Options) error {
		if c.Find != "" && ending == ".txt" {
			return text.Found(w, c.Find, seen.Found, seen.Unread())
		}
		return document.WriteAudit(w, ending, seen.Result, seen.Timeline, o)
	})
	if err == nil && ctx.Err() != nil {
		return fault.Silent(fault.StoppedEarly)
	}
	return cmp.Or(err, flags.Broken(seen.Asserted))
}

// parse returns what the flags say is to be read, and how.
func (c inspectCmd) parse() (names []string, r observe.Reading, err error) {
	names, trailing := observe.SplitFilter(append(c.Read, c.Files...))
	switch {
	case trailing != "" && c.Filter != "":
		return nil, r, fault.Usage("--filter and %q behind the files are two filters; join them by and", trailing)
	case len(names) == 0:
		return nil, r, fault.Usage("name a capture, as tcpdump -w writes it, or - for standard input")
	case c.Join && len(names) != 2:
		return nil, r, fault.Usage("--join is of two captures, the client's and the server's: linger inspect client.pcap server.pcap --join")
	case c.Join && names[0] == names[1]:
		return nil, r, fault.Usage("--join: %s stands twice; name the capture at the client, then the one at the server", names[0])
	case c.Software != "" && !keepalive.Settles(c.Software):
		return nil, r, fault.Usage("--software: there is nothing on %s; known are %s", c.Software, strings.Join(keepalive.Settled(), ", "))
	case c.ConnectionPool < 0 || c.ConnectionIdleTimeout < 0:
		return nil, r, fault.Usage("--connection-pool and --connection-idle-timeout are of a pool that keeps something; write 8 and 60s")
	}
	settings, err := c.settings()
	if err != nil {
		return nil, r, err
	}
	r = observe.Reading{
		Scope: observe.Scope{Origin: c.Origin, Port: c.Port},
		Audit: audit.Config{Software: c.Software, PoolSize: c.ConnectionPool, PoolIdle: c.ConnectionIdleTimeout, Settings: settings},
		Find:  c.Find, MaxTracked: c.MaxTracked,
	}
	if c.Redact {
		r.Redact = make([]byte, 32)
		rand.Read(r.Redact) // it never fails
	}
	if filter := cmp.Or(c.Filter, trailing); filter != "" {
		if r.Scope.Filter, err = observe.ParseFilter(filter); err != nil {
			return nil, r, fault.Usage("--filter: %w", err)
		}
	}
	if c.FromClient != "" {
		if r.Scope.Client, err = observe.ParseClients(c.FromClient); err != nil {
			return nil, r, fault.Usage("--from-client: %w", err)
		}
	}
	if r.Scope.From, err = observe.ParseMoment(c.From); err != nil {
		return nil, r, fault.Usage("--from: %w", err)
	}
	if r.Scope.To, err = observe.ParseMoment(c.To); err != nil {
		return nil, r, fault.Usage("--to: %w", err)
	}
	if r.Scope.To.Before(r.Scope.From) {
		return nil, r, fault.Usage("--to %s is before --from %s; nothing is in between", c.To, c.From)
	}
	return names, r, nil
}

// settings are those of --what-if.
func (c inspectCmd) settings() (out []predict.Setting, err error) {
	for _, text := range c.WhatIf {
		s, err := predict.ParseSetting(text)
		if err != nil {
			return nil, fault.Usage("--what-if: %w", err)
		}
		if slices.Contains(out, s) {
			return nil, fault.Usage("--what-if %s stands twice", s)
		}
		out = append(out, s)
	}
	if len(out) > mostWhatIfs {
		return nil, fault.Usage("--what-if: %d settings are more than the %d that are replayed at once", len(out), mostWhatIfs)
	}
	return out, nil
}

// mostWhatIfs bounds how often a recording is replayed.
const mostWhatIfs = 64

// read opens the files, whatever they are, and has them read.
func (c inspectCmd) read(ctx context.Context, std console.Streams, r observe.Reading, names []string, progress *console.Reading) (*observe.Seen, error) {
	sources, closeAll, err := openAll(ctx, names, "file", std.In, progress.Of)
	defer closeAll()
	if err != nil {
		return nil, err
	}
	var closeKeys func()
	if slices.Contains(names, "-") && slices.Contains(c.KeyLog, "-") {
		return nil, fault.Usage("standard input is one thing, the capture or the keys; name the file of the other")
	}
	r.KeyLogs, closeKeys, err = openAll(ctx, c.KeyLog, "key log", std.In, func(in *console.Input) io.Reader { return in })
	defer closeKeys()
	if err != nil {
		return nil, err
	}
	if c.Join {
		r.Join, sources = &sources[1], sources[:1]
	}
	return r.Files(ctx, sources)
}

// openAll opens files, each of which is a thing; of is what is read of one. What is returned
// closes them, whatever the error.
func openAll(ctx context.Context, names []string, thing string, stdin *os.File, of func(*console.Input) io.Reader) (sources []observe.Source, closeAll func(), err error) {
	var files []*console.Input
	closeAll = func() {
		for _, f := range files {
			f.Close()
		}
	}
	for _, name := range names {
		f, err := console.OpenInput(ctx, name, stdin)
		if err != nil {
			return nil, closeAll, fault.Usage("cannot read the %s: %w", thing, err)
		}
		files = append(files, f)
		if f.Info.IsDir() {
			return nil, closeAll, fault.Usage("%s is a folder; name the %ss in it", name, strings.TrimSuffix(thing, "s"))
		}
		source := observe.Source{Name: f.Name, From: of(f)}
		source.At, source.Size = f.At()
		sources = append(sources, source)
	}
	return sources, closeAll, nil
}

// pickable reports why no packets can be picked from what is read.
func (c inspectCmd) pickable(out *console.Outputs, names []string) error {
	picked := out.Named(".pcapng")
	if picked == "" {
		return nil
	}
	if c.Redact {
		return fault.Usage("-o %s: packets hold the addresses that --redact hides; write them without it", picked)
	}
	for _, name := range names {
		if name == "-" {
			return fault.Usage("-o %s: captures are read twice for that; name their files", picked)
		}
	}
	return nil
}

// pickPackets reads the captures again, and writes the packets that are worth keeping to a file.
// Secrets that the captures hold are in it too, and known only when they are read.
func pickPackets(file string, names []string, seen *observe.Seen) error {
	if file == "" {
		return nil
	}
	var sources []observe.Source
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return fault.Machine("-o %s: %w", file, err)
		}
		defer f.Close()
		sources = append(sources, observe.Source{Name: filepath.Base(name), From: f})
	}
	if err := whole.Write(file, whole.CreateSecret, func(w io.Writer) error { return seen.WritePackets(w, sources) }); err != nil {
		return fault.Machine("-o %s: %w", file, err)
	}
	return nil
}
