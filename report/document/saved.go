package document

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"

	"linger/audit"
	"linger/audit/change"
	"linger/compare"
	"linger/compare/capacity"
	"linger/compare/difference"
	"linger/fault"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
	"linger/trace"
)

// maxSaved bounds a saved result; 1000 strategies have some 2 MB.
const maxSaved = 64 << 20

// maxItems bounds the elements of all its lists. Of a trial it has five numbers for each
// strategy; an empty row is three bytes, and three thousand in memory.
const maxItems = 200_000

// A Saved is a result that linger compare, linger inspect or linger bench wrote as JSON.
type Saved struct {
	name       string
	audit      *audit.Result    // nil where it is none of inspect
	load       *capacity.Result // nil where it is none of bench
	comparison compare.Findings
	broken     error // why it is no comparison
}

// ReadSaved reads a saved result, whoever wrote it. It is read once: it may be a pipe.
func ReadSaved(name string, from io.Reader) (s Saved, err error) {
	s.name = filepath.Base(name)
	b, err := io.ReadAll(io.LimitReader(from, maxSaved+1))
	switch {
	case err != nil:
		return s, fault.Usage("%s: %w", s.name, err)
	case len(b) > maxSaved:
		return s, fault.Usage("%s: more than %d MB; is it a result of linger compare?", s.name, maxSaved>>20)
	case s.readLoad(b):
		return s, nil
	case trace.Items(b, maxItems) > maxItems:
		return s, fault.Usage("%s: it lists more than %d things; is it a result of linger compare? One of fewer --trials has less", s.name, maxItems)
	}
	if json.Unmarshal(b, &s.audit) != nil || s.audit != nil && s.audit.Check() != nil {
		s.audit = nil
	}
	s.comparison, s.broken = compare.Read(b)
	if errors.Is(s.broken, compare.ErrSeveral) {
		s.broken = fault.Usage("%s: %w", s.name, s.broken)
	} else if s.broken != nil {
		s.broken = fault.Usage("%s: it is no result of linger compare: %w; linger compare -o FILE.json writes one", s.name, s.broken)
	}
	return s, nil
}

// maxLoadItems bounds the elements of the lists of a bench: its histograms have some hundred each.
const maxLoadItems = 5_000_000

// readLoad reads a result of bench, and reports whether it is one.
func (s *Saved) readLoad(b []byte) bool {
	if !bytes.Contains(b, []byte(capacity.Format)) || trace.Items(b, maxLoadItems) > maxLoadItems {
		return false
	}
	load, err := capacity.Read(b)
	if err != nil {
		return false
	}
	s.load = load
	return true
}

// A Change is what differs between two saved results of one kind.
type Change struct {
	// Endings are those of the formats that it can be written in.
	Endings []string
	write   func(w io.Writer, ending string, o Options) error
}

// Write writes the change in the format of an ending.
func (c Change) Write(w io.Writer, ending string, o Options) error { return c.write(w, ending, o) }

// Compare says what differs.
func (s Saved) Compare(after Saved) (Change, error) {
	switch {
	case s.audit != nil:
		return s.compareAudit(after)
	case s.load != nil && after.load != nil:
		c := capacity.ChangeOf(s.load, after.load)
		return Change{[]string{".json", ".txt"}, func(w io.Writer, ending string, o Options) error {
			if ending == ".json" {
				return formats.LoadChangeJSON(w, c)
			}
			return text.LoadChange(w, c, o.Text)
		}}, nil
	case s.load != nil || after.load != nil:
		return Change{}, fault.Usage("%s and %s: one of them is a result of linger bench, the other is not", s.name, after.name)
	}
	if err := cmp.Or(s.broken, after.broken); err != nil {
		return Change{}, err
	}
	d := difference.Of(s.comparison, after.comparison)
	return Change{[]string{".json", ".txt", ".html"}, func(w io.Writer, ending string, o Options) error {
		switch ending {
		case ".json":
			return formats.DifferenceJSON(w, d)
		case ".html":
			return html.Difference(w, d, o.pageOf())
		}
		return text.Difference(w, d, o.Text)
	}}, nil
}

// compareAudit says what differs between two results of inspect.
func (s Saved) compareAudit(after Saved) (Change, error) {
	if after.audit == nil {
		return Change{}, fault.Usage("%s: it is no result of linger inspect, as the first one is; linger inspect -o FILE.json writes one", after.name)
	}
	d := change.Of(s.audit, after.audit)
	return Change{[]string{".json", ".txt"}, func(w io.Writer, ending string, o Options) error {
		if ending == ".json" {
			return formats.AuditChangeJSON(w, d)
		}
		return text.AuditChange(w, d, o.Text)
	}}, nil
}
