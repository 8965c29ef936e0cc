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
// order in which they began. One that was answered without the network, by a cache or a
// service worker, has no attempts. Entries that are no HTTP (data:, blob:, WebSocket) are
// left out, and so is one of which the URL, the method, the status or the time is none; the
// notes say how many, and why. The file may be packed (gzip, zlib) and in UTF-16.
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
	h := builder{connections: map[string]int{}, recorder: log.recorder(), left: log.left}
	h.trace = &trace.Trace{Provenance: trace.Observed, Engine: "har", Workload: "har"}
	if err := h.build(log.entries, log.read); err != nil {
		return nil, err
	}
	h.trace.Fetched = log.fetched(h.trace)
	return h.trace, nil
}

// A harLog is what is read of a file.
type harLog struct {
	entries []entry
	read    int       // entries of the file
	text    int       // bytes that the entries hold
	left    []leftOut // why some of them are not in entries
	// Who wrote the file, and the browser that was recorded.
	creator, browser string
	// What this program adds: the workload that was fetched, as a list.
	name, scheme, list string
}

// fetched is the workload that the file says it was made from, if it says so and the
// entries bear it out. Otherwise t gets a note.
func (l *harLog) fetched(t *trace.Trace) (out linger.Opt[linger.Workload]) {
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
	plain, packed, err := plainText(r)
	if err != nil {
		return nil, fmt.Errorf("this is no HAR: %w; export one from the network panel of a browser", err)
	}
	limited := &io.LimitedReader{R: plain, N: limit}
	s := newScanner(limited)
	var log harLog
	found := false
	err = s.eachMember(func(key []byte) error {
		if string(key) != "log" {
			return s.skip()
		}
		return s.eachMember(func(key []byte) error {
			switch {
			case string(key) == "_linger":
				return log.readRecipe(s)
			case string(key) == "creator":
				return readName(s, &log.creator)
			case string(key) == "browser":
				return readName(s, &log.browser)
			case string(key) != "entries" || found:
				return s.skip()
			}
			found = true
			return log.readEntries(s)
		})
	})
	if err == nil && packed {
		_, err = io.Copy(io.Discard, s.in) // up to the checksum
	}
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the HAR is larger than %d MiB; save it without the contents of responses", limit>>20)
	case errors.Is(err, errEntry):
		return nil, err
	case isCut(err):
		return nil, errors.New("the HAR ends before it is complete; save it again")
	case err != nil:
		return nil, fmt.Errorf("this is no HAR: %w; export one from the network panel of a browser", err)
	case log.read == 0:
		return nil, errors.New("the HAR has no entries; record a load with the network panel open")
	}
	return &log, nil
}

// isCut reports whether the file ended too early.
func isCut(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

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

// readName reads the name of a program.
func readName(s *scanner, to *string) error {
	return s.members(func(key []byte) error {
		if string(key) == "name" {
			return words(to, maxName)(s)
		}
		return s.skip()
	})
}

func (l *harLog) readEntries(s *scanner) error {
	return s.eachElement(func() error {
		l.read++
		number := l.read
		if number > linger.MaxExchanges {
			return entryError(number, "one run holds at most %d; cut the HAR", linger.MaxExchanges)
		}
		e := entry{number: number}
		if err := e.read(s); isCut(err) {
			return entryError(number, "the file ends within it; save it again")
		} else if err != nil {
			return entryError(number, "%w; save the HAR again, or cut the entry out", err)
		}
		if why, example := e.check(); why != "" {
			l.left = leaveOut(l.left, why, example, number)
			return nil
		}
		if l.text += e.text(); l.text > maxText {
			return entryError(number, "the URLs up to there have more than %d MiB; cut the HAR", maxText>>20)
		}
		l.entries = append(l.entries, e)
		return nil
	})
}
