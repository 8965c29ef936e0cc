package main

import (
	"cmp"
	"context"
	"io"
	"path/filepath"
	"runtime/debug"

	"linger"
	"linger/capture/har"
	"linger/compare/assertion"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/report/document"
	"linger/report/formats"
	"linger/rig"
	"linger/trace"
)

type reportCmd struct {
	File   string   `arg:"" help:"A trace file, as compare or get wrote it with -o FILE.trace; or a .har file, as a browser saved it."`
	Assert []string `sep:"none" placeholder:"WHAT" help:"A condition on what is in it, as of the verb that wrote it; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	flags.LadderFlag
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write: .html, .json, .csv, .txt, .xml (JUnit), .sarif, .prom (OpenMetrics), .mmd (Mermaid, of one strategy); - is standard output, in JSON. May stand several times; without it, text on standard output."`
	JSON   bool     `help:"Print JSON, as -o -."`
	flags.WideFlag
	flags.QueriesFlag
}

// Run reads a trace file and finds in it what was found when it was written.
func (c reportCmd) Run(ctx context.Context, std console.Streams) error {
	f, err := console.OpenInput(ctx, c.File, std.In)
	if err != nil {
		return fault.Usage("cannot read the trace file: %w; give one that linger compare or get wrote with -o FILE.trace", err)
	}
	defer f.Close()
	name := filepath.Base(f.Name)
	if rig.IsHAR(name) {
		return c.observed(f, name, std)
	}
	if f.Info.IsDir() {
		return fault.Usage("%s is a folder; name a trace file, as linger compare -o FILE.trace writes it", name)
	}
	// What is held is traces: to collect when they have grown by half, not by all, bounds
	// what is resident.
	if std.Env("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(50))
	}
	all, err := document.Read(f)
	if err != nil {
		return fault.Usage("%s: %w", name, f.Because(err))
	}
	in, source := all[0].Experiment, all[0].Source
	endings, names := []string{".html", ".json", ".csv", ".txt", document.Mermaid}, assertion.Vocabulary(in.Strategies...)
	if source.Kind == trace.KindFetch {
		if len(in.Traces[0]) == 0 {
			return fault.Usage("%s: the fetch in it left no trace", name)
		}
		endings, names = []string{".html", ".json", ".txt", document.Mermaid}, assertion.FetchVocabulary(in.Strategies[0])
	}
	asserted, err := flags.Assertions(c.Assert, names)
	if err != nil {
		return err
	}
	ladders, err := document.Ladders(c.Ladder, in.Strategies)
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide, NoText: len(c.Output) > 0}, append(endings, formats.Endings...)...)
	if err != nil {
		return err
	}
	defer out.Discard()
	if err := document.Drawable(out.Named(document.Mermaid), ladders, in.Strategies, len(all)); err != nil {
		return err
	}
	if source.Linger != version {
		std.Note("%s was measured by linger %s; this one, %s, computes the figures anew", name, linger.Brief(source.Linger), version)
	}
	for i := range all {
		all[i].Asserted, all[i].Ladders = asserted, ladders
	}
	return cmp.Or(writeDocument(out, all, c.ShowQueries), flags.Broken(all.Results()))
}

// observed draws what others recorded. Nothing is fetched, and no strategy is known
// but what the browser did.
func (c reportCmd) observed(f io.Reader, name string, std console.Streams) error {
	t, err := har.Read(f)
	if err != nil {
		return fault.Usage("%s: %w", name, err)
	}
	t.Workload, t.Strategy = name, "as recorded"
	for _, note := range t.Notes {
		std.Note("%s", note)
	}
	s := linger.Strategy{Name: t.Strategy, Persistent: true, Connections: max(1, len(t.Connections))}
	asserted, err := flags.Assertions(c.Assert, assertion.FetchVocabulary(s))
	if err != nil {
		return err
	}
	ladders, err := document.Ladders(c.Ladder, []linger.Strategy{s})
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide, NoText: len(c.Output) > 0}, append([]string{".html", ".json", ".txt", ".trace", document.Mermaid}, formats.Endings...)...)
	if err != nil {
		return err
	}
	defer out.Discard()
	part := document.Fetch(t, s, trace.Machine{}, trace.Source{Linger: version, Command: "linger report " + flags.Quote(c.File)})
	part.Asserted, part.Ladders = asserted, ladders
	all := document.Document{part}
	return cmp.Or(writeDocument(out, all, c.ShowQueries), flags.Broken(all.Results()))
}
