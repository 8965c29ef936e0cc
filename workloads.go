package linger

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// DefaultWorkload is what a comparison fetches when nothing is named.
const DefaultWorkload = "gallery"

// builtins is the one list of built-in workloads. Help, completion, errors and
// docs/workloads.md print it.
var builtins = []struct {
	name, about string
	// count is what ":N" stands for, empty where none is taken; without ":N",
	// build is given initial.
	count        string
	initial, max int
	build        func(n int, seed uint64) Workload
}{
	{"gallery", "a page of 42 KB and its 40 images, 600 KB in all, as an image board", "", 0, 0,
		func(_ int, seed uint64) Workload { return Gallery(seed) }},
	{"microscape", "the page of the 1997 study and its 42 GIFs, by its published aggregates", "", 0, 0,
		func(int, uint64) Workload { return Microscape() }},
	{"api", "100 JSON answers of 1 KB, one after another; api:N keeps N going at once", "exchanges at once", 1, 100,
		func(n int, _ uint64) Workload { return API(n) }},
	{"textbook", "a page and 10 objects of one segment each; textbook:N has N objects", "objects", 10, 40,
		func(n int, _ uint64) Workload { return Textbook(n) }},
	{"objects", "a page and 10 objects of 10 KB; objects:NxBYTES has N objects of so many bytes", "", 0, 0,
		func(int, uint64) Workload { return sized(10, 10<<10) }},
	{"dns", "the 20 names that a page needs, looked up by DNS", "", 0, 0,
		func(int, uint64) Workload { return Names() }},
}

// Workloads lists what ParseWorkload knows, without ":N".
func Workloads() []Form {
	out := make([]Form, len(builtins))
	for i, b := range builtins {
		out[i] = Form{b.name, b.about}
	}
	return out
}

// ParseWorkload returns the built-in workload of that name: NAME[:N]. The same
// seed gives the same workload. The error names the nearest known name.
func ParseWorkload(s string, seed uint64) (Workload, error) {
	name, count, counted := strings.Cut(s, ":")
	var names []string
	for _, b := range builtins {
		names = append(names, b.name)
		if b.name != name {
			continue
		}
		if !counted {
			return b.build(b.initial, seed), nil
		}
		if name == "objects" {
			return parseObjects(s, count)
		}
		if b.count == "" {
			return Workload{}, fmt.Errorf("workload %q: %s takes no number; write %s", s, name, name)
		}
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || n > b.max {
			return Workload{}, fmt.Errorf("workload %q: %q is not a number of %s; write 1 to %d, as in %s:%d", s, count, b.count, b.max, name, b.max)
		}
		return b.build(n, seed), nil
	}
	return Workload{}, unknown("workload", name, names, "or a .har file, or a list of your own")
}

// pageSize is the HTML of gallery and microscape, in bytes: 42 KB, which is what
// the study of 1997 published for its page.
const pageSize = 42 << 10

// galleryEdges cut a skewed distribution of image sizes into 40 equally probable
// strata: edge i is 3 KB * 20^((i/40)^1.7). It is log-uniform from 3 to 60 KB, bent
// towards small images as far as brings the mean to 14 KB; the median is 7.5 KB.
// Written out, since floating point need not give the same sizes on each machine.
var galleryEdges = [...]int{
	3072, 3089, 3129, 3187, 3261, 3352, 3461, 3586, 3730, 3895, 4080,
	4289, 4523, 4786, 5079, 5407, 5774, 6183, 6640, 7152, 7724, 8365,
	9084, 9891, 10798, 11819, 12970, 14269, 15737, 17400, 19285, 21426, 23863,
	26641, 29811, 33438, 37592, 42360, 47842, 54155, 61440,
}

// Gallery is an image board: one page that names 40 images of 3 to 60 KB, about
// 600 KB in all. The seed fixes sizes, places and contents.
func Gallery(seed uint64) Workload {
	rng := rand.New(rand.NewPCG(seed, 0))
	// One size from each stratum: single sizes differ with the seed, their sum
	// hardly does.
	sizes := make([]int, len(galleryEdges)-1)
	for i := range sizes {
		low, high := galleryEdges[i], galleryEdges[i+1]
		sizes[i] = low + rng.IntN(high-low)
	}
	rng.Shuffle(len(sizes), func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
	return Workload{
		Name: "gallery",
		Description: "An image board: a page of 42 KB that names 40 images of 3 to 60 KB, about 600 KB in all. " +
			"Sizes and places are made up; the seed fixes them.",
		Scheme:    SchemeHTTPS,
		Exchanges: page(pageSize, sizes, "/img/%02d.png", rng),
	}
}

// microscapeGIFs are the sizes of the 42 images of Microscape: 40 static ones
// from the smallest to the largest, then the two animated ones.
var microscapeGIFs = [...]int{
	70, 122, 173, 225, 277, 328, 380, 432, 483, 535, 587, 638, 690, 742, 793, 845, 897, 948, 1000, // 19 below 1 KB
	1060, 1180, 1300, 1450, 1600, 1780, 1960, // 7 of 1 to 2 KB
	2080, 2240, 2400, 2560, 2740, 2960, // 6 of 2 to 3 KB
	3100, 3200, 3400, 3600, 3900, 4400, 5264, 40960,
	12494, 12494,
}

// Microscape meets the aggregates that were published of the page with which
// HTTP/1.1 was measured in 1997: 42 KB of HTML; 42 GIFs of 70 bytes to 40 KB, 125 KB
// in all, 40 static and 2 animated; 19 below 1 KB, 7 of 1 to 2 KB, 6 of 2 to 3 KB
// (https://www.w3.org/Protocols/HTTP/Performance/microscape/). The single sizes
// and their order are synthetic: they are not the historical ones.
func Microscape() Workload {
	rng := rand.New(rand.NewPCG(1997, 0)) // one page, one order, whatever the run's seed
	sizes := microscapeGIFs
	rng.Shuffle(len(sizes), func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
	return Workload{
		Name: "microscape",
		Description: "The page of the 1997 study of HTTP/1.1, by its published aggregates: 42 KB of HTML and 42 GIFs of 125 KB. " +
			"Single sizes and their order are synthetic, not the historical ones.",
		Scheme:    SchemeHTTP,
		Exchanges: page(pageSize, sizes[:], "/%02d.gif", rng),
	}
}

// page returns a page of html bytes that names one image of each size in turn.
// The spaces between their tags vary with rng.
func page(html int, sizes []int, path string, rng *rand.Rand) []Exchange {
	out := []Exchange{{
		Method: "GET", Path: "/", Status: 200, ContentType: "text/html",
		ResponseBody: int64(html), Parent: NoParent,
	}}
	const first, last = 1400, 700 // room before the first tag and behind the last
	span, gaps := html-first-last, len(sizes)-1
	jitter := span / gaps * 3 / 10 // either way, so that two tags stay apart
	for i, size := range sizes {
		p := fmt.Sprintf(path, i+1)
		at := first + span*i/gaps
		if i > 0 && i < gaps {
			at += rng.IntN(2*jitter+1) - jitter
		}
		out = append(out, Exchange{
			Method: "GET", Path: p, Status: 200, ContentType: typeOf(p),
			ResponseBody: int64(size), At: int64(at),
		})
	}
	return out
}

// API is 100 JSON answers of 1 KB: atOnce chains, in each of which a call is
// made once the answer before it has arrived. WithThink puts a wait between.
func API(atOnce int) Workload {
	const calls, size = 100, 1 << 10
	w := Workload{
		Name:        "api",
		Description: fmt.Sprintf("%d JSON answers of 1 KB, %d at once.", calls, atOnce),
		Scheme:      SchemeHTTP,
	}
	if atOnce > 1 {
		w.Name = fmt.Sprintf("api:%d", atOnce)
	}
	for i := range calls {
		e := Exchange{
			Method: "GET", Path: fmt.Sprintf("/api/%d", i+1), Status: 200, ContentType: "application/json",
			ResponseBody: size, Parent: NoParent,
		}
		if i >= atOnce {
			e.Parent, e.At = i-atOnce, size
		}
		w.Exchanges = append(w.Exchanges, e)
	}
	return w
}

// WithThink returns w with a wait of d between knowing of an exchange and
// wanting it, for every exchange that has a parent.
func (w Workload) WithThink(d time.Duration) Workload {
	out := w
	out.Exchanges = nil
	for _, e := range w.Exchanges {
		if e.Parent != NoParent {
			e.Think = d
		}
		out.Exchanges = append(out.Exchanges, e)
	}
	return out
}

// Textbook is Objects with objects of one segment: 1000 bytes and a response
// head fit into the 1460 bytes that Ethernet leaves to a TCP segment, and so does
// the page, which names up to 40 objects.
func Textbook(objects int) Workload {
	w := Objects(1200, objects, 1000)
	w.Name = "textbook"
	if objects != 10 {
		w.Name = fmt.Sprintf("textbook:%d", objects)
	}
	w.Description = fmt.Sprintf("A page and %d objects of one TCP segment each, for which round trips can be counted by hand.", objects)
	return w
}

// Bounds of objects:NxBYTES: what a page of a HAR may have, and a body that any
// network of the list carries.
const (
	maxObjects    = 1000
	maxObjectSize = 100 << 20
)

// parseObjects reads "NxBYTES" of the workload spelled s.
func parseObjects(s, spec string) (Workload, error) {
	count, bytes, _ := strings.Cut(spec, "x")
	n, err := strconv.Atoi(count)
	size, err2 := strconv.Atoi(bytes)
	if err != nil || err2 != nil || n < 1 || n > maxObjects || size < 0 || size > maxObjectSize {
		return Workload{}, fmt.Errorf("workload %q: %q is not a number of objects and their bytes; write 1 to %d and 0 to %d, as in objects:40x14000", s, spec, maxObjects, maxObjectSize)
	}
	return sized(n, size), nil
}

// sized is Objects with a page that has room for the tags of all of them.
func sized(n, size int) Workload {
	const html, tag = 1200, 60
	w := Objects(html+n*tag, n, size)
	if n != 10 || size != 10<<10 {
		w.Name = fmt.Sprintf("objects:%dx%d", n, size)
	}
	return w
}

// pageHead is how many bytes a page of HTML has at least before the first tag that names an
// object.
const pageHead = 37

// Objects is one page of html bytes that names n objects of size bytes, their
// tags spread evenly over it.
func Objects(html, n, size int) Workload {
	w := Workload{
		Name:        "objects",
		Description: fmt.Sprintf("A page of %d bytes and %d objects of %d bytes.", html, n, size),
		Scheme:      SchemeHTTP,
		Exchanges: []Exchange{{
			Method: "GET", Path: "/", Status: 200, ContentType: "text/html",
			ResponseBody: int64(html), Parent: NoParent,
		}},
	}
	head := min(html, pageHead)
	for i := range n {
		w.Exchanges = append(w.Exchanges, Exchange{
			Method: "GET", Path: fmt.Sprintf("/%d", i+1), Status: 200, ContentType: "image/png",
			ResponseBody: int64(size), At: int64(head + (html-head)*(i+1)/n),
		})
	}
	return w
}
