package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/keepalive"
	"linger/observe/logs"
	"linger/report/document"
	"linger/report/formats"
	"linger/tune"
)

type tuneCmd struct {
	Files []string `arg:"" optional:"" name:"file" help:"Access logs, also .gz and .zst, rotated ones in any order; - is standard input."`

	LogFormat string `placeholder:"FORMAT" sep:"none" help:"The format of the lines as the server's configuration has it: nginx's log_format, Apache's LogFormat, HAProxy's log-format, varnishncsa's -F, Envoy's format string. Found by itself for common ones."`
	LogFields string `placeholder:"NAMES" sep:"none" help:"Names in lines of JSON, as time=ts,client=remote_ip,duration=took:ms."`
	LogTime   string `enum:"start,end," default:"" placeholder:"start|end" help:"What the time of a line is the time of, where the format does not say: nginx writes the end of a request, Apache the start."`
	LogZone   string `placeholder:"ZONE" help:"The zone of times that say none: +02:00, or a name as Europe/Berlin; default is UTC."`
	By        string `enum:"client,forwarded" default:"client" placeholder:"client|forwarded" help:"Whose requests share connections: the address that connected, or the first one of X-Forwarded-For, for the clients of a balancer."`
	From      string `placeholder:"TIME" help:"Look at requests from then on: 2006-01-02T15:04:05Z."`
	To        string `placeholder:"TIME" help:"Look at requests until then."`

	Check             string         `placeholder:"FILE" help:"Read today's timeout, limit and format of the log out of the configuration: nginx.conf, httpd.conf, haproxy.cfg."`
	IdleTimeout       *time.Duration `placeholder:"TIME" help:"The idle timeout (keep-alive timeout) of today; 0 keeps none."`
	MaxRequests       int            `placeholder:"N" help:"The requests that a connection carries at most today."`
	ClientIdle        time.Duration  `placeholder:"TIME" help:"For how long clients keep an idle connection by themselves, as the pool of a balancer does."`
	RTT               time.Duration  `name:"rtt" placeholder:"TIME" help:"The round trip to clients, for what handshakes cost them; default is what the log says."`
	ConnectionsBudget int64          `placeholder:"N" help:"How many connections may be open at once."`
	HandshakeCost     time.Duration  `placeholder:"TIME" help:"What opening a connection takes of the server's processor; default is 360us."`
	ResumedCost       time.Duration  `placeholder:"TIME" help:"The same of a connection whose TLS is resumed, where the log tells which are; default is two thirds of it."`
	SocketMemory      string         `placeholder:"SIZE" help:"What an open connection takes of the server's memory, as 18kB, which is the default."`
	Backends          int            `default:"4" placeholder:"N" help:"Over how many servers behind it connections are spread, for what a limit on requests does."`
	Software          string         `placeholder:"NAME" help:"What the advice is for: nginx, apache, haproxy, envoy, caddy, node, go, ..."`
	MaxTracked        int            `name:"max-tracked" placeholder:"N" help:"How many clients are followed at once, which bounds memory; beyond that a part stands for all."`

	Wide   bool     `help:"Show all: every timeout, limits on requests, when connections were used again."`
	Assert []string `sep:"none" placeholder:"WHAT" help:"A condition, as reuse[\"today\"]>=80%; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write too: .json, .txt, .html, .csv (a line a timeout), .xml (JUnit), .sarif, .prom (OpenMetrics); - is standard output, in JSON. May stand several times."`
	JSON   bool     `help:"Print JSON, as -o -."`
}

// Run reads logs, finds what other timeouts would have done, and writes that.
func (c tuneCmd) Run(ctx context.Context, std console.Streams) error {
	command := c.command()
	if err := c.check(); err != nil {
		return err
	}
	asked, err := c.asked()
	if err != nil {
		return err
	}
	log, err := c.log()
	if err != nil {
		return err
	}
	asserted, err := flags.Assertions(c.Assert, tune.Vocabulary())
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, append([]string{".json", ".txt", ".csv", ".html"}, formats.Endings...)...)
	if err != nil {
		return err
	}
	defer out.Discard()
	sources, closeAll, err := openAll(ctx, c.Files, "log", std.In, func(in *console.Input) io.Reader { return in })
	defer closeAll()
	if err != nil {
		return err
	}
	result, err := log.Read(ctx, sources, asked)
	if err != nil {
		return err
	}
	result.Linger = version
	for _, a := range asserted {
		result.Asserted = append(result.Asserted, a.Of(result.Figures()))
	}
	err = writeAs(out, command, false, func(w io.Writer, ending string, o document.Options) error {
		return document.WriteTuning(w, ending, result, o)
	})
	if err == nil && ctx.Err() != nil {
		return fault.Silent(fault.StoppedEarly)
	}
	return cmp.Or(err, flags.Broken(result.Asserted))
}

// command gives the same again.
func (c tuneCmd) command() string {
	words := []string{"linger", "tune"}
	for _, file := range c.Files {
		words = append(words, flags.Quote(file))
	}
	idle := ""
	if c.IdleTimeout != nil {
		idle = c.IdleTimeout.String()
	}
	words = append(words, flags.Settings([][3]string{
		{"--log-format", c.LogFormat, ""}, {"--log-fields", c.LogFields, ""}, {"--log-time", c.LogTime, ""}, {"--log-zone", c.LogZone, ""},
		{"--by", c.By, "client"}, {"--from", c.From, ""}, {"--to", c.To, ""}, {"--check", c.Check, ""}, {"--idle-timeout", idle, ""},
		{"--max-requests", fmt.Sprint(c.MaxRequests), "0"}, {"--client-idle", c.ClientIdle.String(), "0s"}, {"--rtt", c.RTT.String(), "0s"},
		{"--connections-budget", fmt.Sprint(c.ConnectionsBudget), "0"}, {"--handshake-cost", c.HandshakeCost.String(), "0s"}, {"--resumed-cost", c.ResumedCost.String(), "0s"},
		{"--socket-memory", c.SocketMemory, ""}, {"--backends", fmt.Sprint(c.Backends), "4"}, {"--software", c.Software, ""},
		{"--max-tracked", fmt.Sprint(c.MaxTracked), "0"},
	})...)
	return strings.Join(append(words, flags.AssertWords(c.Assert)...), " ")
}

// asked reads what of the flags is not of the log.
func (c tuneCmd) asked() (tune.Asked, error) {
	q := tune.Asked{
		Limit: c.MaxRequests, ClientIdle: c.ClientIdle, RTT: c.RTT, Budget: c.ConnectionsBudget,
		HandshakeCPU: c.HandshakeCost, ResumedCPU: c.ResumedCost, Software: c.Software,
	}
	if c.IdleTimeout != nil {
		q.Today = linger.Known(*c.IdleTimeout)
	}
	for name, d := range map[string]time.Duration{"--idle-timeout": q.Today.Or(0), "--client-idle": c.ClientIdle, "--rtt": c.RTT, "--handshake-cost": c.HandshakeCost, "--resumed-cost": c.ResumedCost} {
		if d < 0 {
			return q, fault.Usage("%s: %v is negative", name, d)
		}
	}
	switch {
	case c.MaxRequests < 0 || c.ConnectionsBudget < 0 || c.MaxTracked < 0:
		return q, fault.Usage("--max-requests, --connections-budget and --max-tracked are numbers from 1; leave them away for none")
	case c.Backends < 1 || c.Backends > 1000:
		return q, fault.Usage("--backends: %d is no number of servers; 1 to 1000", c.Backends)
	case c.Software != "" && !keepalive.Settles(c.Software):
		return q, fault.Usage("--software: there is nothing on %s; known are %s", c.Software, strings.Join(keepalive.Settled(), ", "))
	}
	if c.SocketMemory != "" {
		n, err := flags.Size(c.SocketMemory)
		if err != nil {
			return q, fault.Usage("--socket-memory: %w", err)
		}
		q.SocketMemory = n
	}
	return q, nil
}

// check reads what of today is in a server's configuration. What flags say counts more.
func (c *tuneCmd) check() error {
	if c.Check == "" {
		return nil
	}
	conf, err := logs.Configuration(c.Check)
	if err != nil && c.IdleTimeout == nil {
		return fault.Usage("--check: %w", err)
	}
	if c.IdleTimeout == nil && (conf.Software != "haproxy" || conf.IdleAt != "") {
		c.IdleTimeout = &conf.Idle
	}
	c.MaxRequests = cmp.Or(c.MaxRequests, conf.Limit)
	c.Software = cmp.Or(c.Software, conf.Software)
	if c.LogFormat != "" || len(c.Files) == 0 {
		return nil
	}
	c.LogFormat = conf.FormatOf(c.Files[0])
	return nil
}

// log is how the logs are read.
func (c tuneCmd) log() (l logs.Log, err error) {
	if len(c.Files) == 0 {
		return l, fault.Usage("name an access log, or - for standard input")
	}
	for i, name := range c.Files {
		if slices.Contains(c.Files[:i], name) {
			return l, fault.Usage("%s is named twice, and would count twice", name)
		}
	}
	l = logs.Log{
		Now: time.Now(), Format: c.LogFormat, Fields: c.LogFields, Clock: c.LogTime, Forwarded: c.By == "forwarded",
		Tuning: tune.Config{Backends: c.Backends, MaxClients: c.MaxTracked, Limit: c.MaxRequests, ClientIdle: c.ClientIdle, Budget: c.ConnectionsBudget},
	}
	if c.IdleTimeout != nil {
		l.Tuning.Timeout = *c.IdleTimeout
	}
	if l.Zone, err = logs.ParseZone(c.LogZone); err != nil {
		return l, fault.Usage("--log-zone: %w", err)
	}
	if l.From, err = logs.ParseTime(c.From); err != nil {
		return l, fault.Usage("--from: %w", err)
	}
	if l.To, err = logs.ParseTime(c.To); err != nil {
		return l, fault.Usage("--to: %w", err)
	}
	return l, nil
}
