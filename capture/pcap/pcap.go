// Package pcap reads capture files: pcap and pcapng, also compressed, one or several. It
// hands on frames as they were captured, in order of time, and says what else the files
// tell: where was captured, what is cut or missing, names and secrets.
//
// Formats: pcap (draft-ietf-opsawg-pcap) with microseconds or nanoseconds, in either
// order of bytes, and with the longer heads of packets that some kernels' libraries wrote;
// pcapng (draft-ietf-opsawg-pcapng) with any number of sections and interfaces. What is
// compressed with gzip or zstd is decompressed as it is read.
package pcap

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"linger"
)

// An Input is one file, or what comes from a program that captures.
type Input struct {
	Name string
	From io.Reader
}

// A Frame is one packet as it was captured.
type Frame struct {
	At linger.Instant // since Files.Began
	// Number is that of the frame in its file, from 1, as Wireshark counts it.
	Number int64
	File   int // index of the Input
	// Place is where it was captured, the same for all frames of one interface of one
	// file, from 0.
	Place int
	Link  LinkType
	Data  []byte // what was captured; valid until the next frame is asked for
	Wire  int    // how long it was on the link, in bytes
}

// A LinkType says what a frame begins with (https://www.tcpdump.org/linktypes.html).
type LinkType uint16

// An Interface is one place of capture.
type Interface struct {
	Name, Filter string // empty if the file does not say
	Link         LinkType
	// SnapLen is how much of a packet was captured at most, in bytes; 0 is all.
	SnapLen int
	// Received and Dropped count the packets that the interface saw, and those that
	// could not be captured, where the file says it.
	Received, Dropped linger.Opt[int64]

	place int
	unit  resolution
}

// A File is what an Input turned out to be.
type File struct {
	Name        string
	Format      string // "pcap" or "pcapng"
	Compression string // "gzip", "zstd", or none
	Interfaces  []Interface
	Frames      int64
	Bytes       int64 // of the file, decompressed
	// Problem is why it was not read to its end, or not at all. What came before it counts.
	Problem error
}

// ErrCut is the problem of a file that ends within a packet, as that of a program that was
// killed while it wrote.
var ErrCut = errors.New("it ends within a packet")

// Bounds on what foreign bytes may ask for.
const (
	// maxRecord bounds one packet, or one block of pcapng, in bytes, as libpcap does.
	maxRecord = 16 << 20
	// maxInterfaces bounds those of one file.
	maxInterfaces = 1 << 16
	// maxNames and maxSecrets bound what is kept of resolved names, and of the secrets in
	// bytes.
	maxNames   = 1 << 16
	maxSecrets = 64 << 20
)

// Files are the frames of all inputs, merged in order of time. Within one file they keep
// their order. A file is buffered only from its first frame to its last, so that a
// thousand files of a rotation take no more memory than one.
type Files struct {
	// Names are the names of addresses that the files hold, and Secrets the lines of
	// their TLS key logs, as far as they have been read.
	Names   map[netip.Addr]string
	Secrets []byte

	all     []*file // in order of the inputs
	waiting []*file // not yet begun, the earliest first
	active  []*file
	last    *file // whose frame was returned last
	began   int64
	places  int
}

// file is one input that is read.
type file struct {
	File
	in    source
	index int
	read  func(*Files, *file) error // fills in the next frame; io.EOF at the end
	frame Frame
	at    int64 // of frame, in nanoseconds since 1970

	order  order
	little bool  // order, where each packet needs it
	unit   int64 // of a pcap's fractions of a second, in nanoseconds
	extra  int   // bytes of a pcap packet's head beyond 16
	ifaces int   // index in Interfaces of the section's first
}

// Open reads each input up to its first frame. The error names the first input that is no
// capture, unless another is one: then it is the problem of its File.
func Open(inputs []Input) (*Files, error) {
	f := &Files{Names: map[netip.Addr]string{}}
	var problem error
	for i, in := range inputs {
		one := &file{index: i, File: File{Name: in.Name}, in: source{from: in.From}}
		f.all = append(f.all, one)
		err := one.begin(f)
		if err == nil {
			err = f.advance(one)
		}
		if err == nil {
			f.waiting = append(f.waiting, one)
			continue
		}
		one.in.close()
		if err != io.EOF || one.Format == "" { // else a capture without packets
			one.Problem = err
			problem = cmp.Or(problem, fmt.Errorf("%s: %w", in.Name, err))
		}
	}
	slices.SortStableFunc(f.waiting, func(a, b *file) int { return cmp.Compare(a.at, b.at) })
	if len(f.waiting) > 0 {
		f.began = f.waiting[0].at
		return f, nil
	}
	if readable := slices.ContainsFunc(f.all, func(one *file) bool { return one.Problem == nil }); readable {
		problem = nil
	}
	return f, problem
}

// Began returns the time of the first frame, which is Instant 0; the zero time if there is
// none.
func (f *Files) Began() time.Time {
	if f.began == 0 {
		return time.Time{}
	}
	return time.Unix(0, f.began).UTC()
}

// Info returns what the inputs turned out to be, as far as they were read.
func (f *Files) Info() []File {
	out := make([]File, len(f.all))
	for i, one := range f.all {
		out[i] = one.File
		out[i].Bytes = one.in.taken
	}
	return out
}

// Next returns the next frame, and io.EOF after the last one. No file's problem ends it;
// Info has them.
func (f *Files) Next() (*Frame, error) {
	if one := f.last; one != nil {
		if err := f.advance(one); err != nil {
			if err != io.EOF {
				one.Problem = err
			}
			f.drop(one)
		}
	}
	if len(f.active) != 1 || len(f.waiting) > 0 || f.last != f.active[0] {
		if f.choose(); f.last == nil {
			return nil, io.EOF
		}
	}
	f.last.frame.At = linger.Instant(f.last.at - f.began)
	return &f.last.frame, nil
}

// choose makes the file with the earliest frame the last one, or none.
func (f *Files) choose() {
	f.last = nil
	for _, one := range f.active {
		if next := f.last; next == nil || one.at < next.at || one.at == next.at && one.index < next.index {
			f.last = one
		}
	}
	if len(f.waiting) > 0 && (f.last == nil || f.waiting[0].at < f.last.at) {
		f.last = f.waiting[0]
		f.waiting = f.waiting[1:]
		f.active = append(f.active, f.last)
	}
}

// advance reads the next frame of a file.
func (f *Files) advance(one *file) error {
	err := one.read(f, one)
	if err == nil {
		one.Frames++
		one.frame.Number = one.Frames
	}
	return err
}

// drop ends the reading of a file.
func (f *Files) drop(one *file) {
	f.active = slices.DeleteFunc(f.active, func(other *file) bool { return other == one })
	one.in.close()
}

// place gives an interface of a file its number.
func (f *Files) place(one *file, i Interface) error {
	if len(one.Interfaces) >= maxInterfaces {
		return fmt.Errorf("it has more than %d interfaces; it is damaged, capture anew", maxInterfaces)
	}
	i.place = f.places
	f.places++
	one.Interfaces = append(one.Interfaces, i)
	return nil
}
