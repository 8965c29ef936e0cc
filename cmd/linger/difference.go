package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"linger/audit"
	"linger/compare"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
)

// maxResult bounds a saved result; 1000 strategies have some 2 MB.
const maxResult = 64 << 20

// difference compares two saved results.
func (c compareCmd) difference(std streams) error {
	if c.Against == "" {
		return usage("%s is one saved result; name two, BEFORE.json AFTER.json, or a workload", filepath.Base(c.Workload))
	}
	if words := c.measuring(); len(words) > 0 {
		return usage("%s is about measuring; two saved results have been measured: leave it out, or name one workload", words[0])
	}
	if one, ok := savedAudit(c.Workload); ok {
		return c.auditDifference(one, std)
	}
	before, err := savedResult(c.Workload)
	if err != nil {
		return err
	}
	after, err := savedResult(c.Against)
	if err != nil {
		return err
	}
	out, err := openOutputs(c.Output, c.JSON, std, ".json", ".txt", ".html")
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	d := compare.Difference(before, after)
	return out.write(func(ending string, w io.Writer) error {
		switch ending {
		case ".json":
			return formats.DifferenceJSON(w, d)
		case ".html":
			return html.Difference(w, d, html.Options{Version: version, Command: "linger compare " + quote(c.Workload) + " " + quote(c.Against), Queries: c.ShowQueries})
		}
		return text.Difference(w, d, out.layout(w))
	})
}

// measuring lists what was said about how to measure.
func (c compareCmd) measuring() []string {
	words := append(c.networkFlags.words(), c.namesFlags.words()...)
	words = append(append(words, c.serverPolicyFlags.words()...), c.serverFlags.words()...)
	for _, f := range []struct {
		flag string
		set  bool
	}{
		{"--strategies", c.Strategies != ""}, {"--scheme", c.Scheme != ""}, {"--trials", c.Trials != nil}, {"--seed", c.Seed != 1}, {"--think", c.Think != ""},
		{"--workers", c.Workers != 0}, {"--timeout", c.Timeout != "10m"}, {"--on", c.On != ""}, {"--assert", len(c.Assert) > 0},
	} {
		if f.set {
			words = append(words, f.flag)
		}
	}
	return words
}

// savedResult reads what compare -o NAME.json wrote.
func savedResult(name string) (f compare.Findings, err error) {
	base := filepath.Base(name)
	file, err := os.Open(name)
	if err != nil {
		return f, usage("cannot read the saved result: %w", err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxResult+1))
	switch {
	case err != nil:
		return f, usage("%s: %w", base, err)
	case len(b) > maxResult:
		return f, usage("%s: more than %d MB; is it a result of linger compare?", base, maxResult>>20)
	}
	if f, err = compare.Read(b); err != nil {
		return f, usage("%s: it is no result of linger compare: %w; linger compare -o FILE.json writes one", base, err)
	}
	return f, nil
}

// savedAudit reads what inspect -o NAME.json wrote; ok is false where it is something else.
func savedAudit(name string) (r *audit.Result, ok bool) {
	file, err := os.Open(name)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxResult))
	if err != nil || json.Unmarshal(b, &r) != nil || r == nil {
		return nil, false
	}
	return r, r.Check() == nil
}

// auditDifference compares two results of inspect.
func (c compareCmd) auditDifference(before *audit.Result, std streams) error {
	after, ok := savedAudit(c.Against)
	if !ok {
		return usage("%s: it is no result of linger inspect, as the first one is; linger inspect -o FILE.json writes one", filepath.Base(c.Against))
	}
	out, err := openOutputs(c.Output, c.JSON, std, ".json", ".txt")
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	d := audit.Difference(before, after)
	return out.write(func(ending string, w io.Writer) error {
		if ending == ".json" {
			return formats.AuditChangeJSON(w, d)
		}
		return text.AuditChange(w, d, out.layout(w))
	})
}
