// Package har reads what browsers and proxies have recorded in HTTP Archives. Its
// provenance is Observed; what the recording does not tell is unknown, and what had to
// be guessed or left out stands in the trace's notes.
package har

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"linger"
	"linger/trace"
)

// maxHAR is how much of a file is read. The content of responses, which makes most of
// it, is not held.
const maxHAR = 4 << 30

// Read reads an HTTP Archive (HAR 1.1 or 1.2, as browsers, WebPageTest and proxies
// export it; http://www.softwareishard.com/blog/har-12-spec/). Exchanges are in the
// order in which they began. One that came from the browser's cache has no attempts;
// entries that are no HTTP (data:, blob:, WebSocket) are left out.
//
// It takes memory for what is known of each entry, and none for contents. The file has
// to be read to its end before the first exchange is known: entries may stand in any
// order, and no entry says that a connection was closed behind it. Who wants records has
// them from trace.Trace.Records. An error names the entry, counted from 1, what is wrong
// and what to do.
func Read(r io.Reader) (*trace.Trace, error) {
	log, err := readHAR(r, maxHAR)
	if err != nil {
		return nil, err
	}
	h := builder{connections: map[string]int{}}
	h.trace = &trace.Trace{Provenance: trace.Observed, Engine: "har", Workload: "har"}
	if err := h.build(log.entries); err != nil {
		return nil, err
	}
	h.trace.Recipe = log.recipe(h.trace)
	return h.trace, nil
}

// A harLog is what is read of a file.
type harLog struct {
	entries []entry
	// What this program adds: the workload that was fetched, as a list.
	name, scheme, list string
}

// recipe is the workload that the file says it was made from, if it says so and the
// entries bear it out. Otherwise t gets a note.
func (l *harLog) recipe(t *trace.Trace) (out linger.Opt[linger.Workload]) {
	if l.list == "" {
		return out
	}
	w, err := linger.ParseList(l.name, strings.NewReader(l.list))
	if err == nil && l.scheme != "" {
		w, err = w.WithScheme(l.scheme)
	}
	if err != nil {
		t.Notes = append(t.Notes, "the HAR's own list of what was fetched cannot be read: "+printable(err.Error()))
		return out
	}
	return linger.Known(w)
}

// readHAR reads what is wanted and nothing else, from up to limit bytes.
func readHAR(r io.Reader, limit int64) (*harLog, error) {
	limited := &io.LimitedReader{R: r, N: limit}
	s := newScanner(limited)
	if mark, _ := s.in.Peek(3); string(mark) == "\ufeff" {
		_, _ = s.in.Discard(len(mark)) // it has just been peeked
	}
	var log harLog
	found := false
	err := s.eachMember(func(key []byte) error {
		if string(key) != "log" {
			return s.skip()
		}
		return s.eachMember(func(key []byte) error {
			switch {
			case string(key) == "_linger":
				return log.readRecipe(s)
			case string(key) != "entries" || found:
				return s.skip()
			}
			found = true
			return log.readEntries(s)
		})
	})
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the HAR is larger than %d MiB; save it without the contents of responses", limit>>20)
	case errors.Is(err, errEntry):
		return nil, err
	case errors.Is(err, io.EOF):
		return nil, errors.New("the HAR ends before it is complete; save it again")
	case err != nil:
		return nil, fmt.Errorf("this is no HAR: %w; export one from the network panel of a browser", err)
	case len(log.entries) == 0:
		return nil, errors.New("the HAR has no entries; record a load with the network panel open")
	}
	return &log, nil
}

// errEntry marks an error that names its entry.
var errEntry = errors.New("entry")

func entryError(number int, format string, args ...any) error {
	return fmt.Errorf("%w %d: "+format, append([]any{errEntry, number}, args...)...)
}

func (l *harLog) readRecipe(s *scanner) error {
	return s.members(func(key []byte) (err error) {
		switch string(key) {
		case "workload":
			l.name, _, err = s.string(maxName)
		case "scheme":
			l.scheme, _, err = s.string(maxName)
		case "list":
			l.list, _, err = s.string(maxList)
		default:
			err = s.skip()
		}
		return err
	})
}

func (l *harLog) readEntries(s *scanner) error {
	return s.eachElement(func() error {
		number := len(l.entries) + 1
		if number > linger.MaxExchanges {
			return entryError(number, "one run holds at most %d; cut the HAR", linger.MaxExchanges)
		}
		e := entry{number: number}
		if err := e.read(s); errors.Is(err, io.EOF) {
			return entryError(number, "the file ends within it; save it again")
		} else if err != nil {
			return entryError(number, "%w; save the HAR again, or cut the entry out", err)
		}
		if err := e.check(); err != nil {
			return err
		}
		l.entries = append(l.entries, e)
		return nil
	})
}
