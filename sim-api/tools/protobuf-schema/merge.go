package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// section is a message with its fields, or all kinds under the empty name.
type section struct {
	order []string
	// held says in which releases each line stands.
	held map[string]map[int]bool
}

// merge writes one table of several: "29=path" and so on, each made by the command schema. A
// line that does not hold for all releases has those for which it does at its end.
func merge(out io.Writer, arguments []string) error {
	releases := map[int]string{}
	var minors []int
	for _, argument := range arguments {
		minor, path, _ := strings.Cut(argument, "=")
		number, err := strconv.Atoi(minor)
		if err != nil {
			return err
		}
		releases[number] = path
		minors = append(minors, number)
	}
	sort.Ints(minors)
	sections := map[string]*section{}
	// The latest release gives the order.
	for _, minor := range slices.Backward(minors) {
		text, err := os.ReadFile(releases[minor])
		if err != nil {
			return err
		}
		name, before := "", ""
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "M ") {
				name, before = strings.Fields(line)[1], ""
			}
			if sections[name] == nil {
				sections[name] = &section{held: map[string]map[int]bool{}}
			}
			sections[name].add(line, before, minor)
			before = line
		}
	}
	var names []string
	for name := range sections {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, line := range sections[name].order {
			for _, mark := range marks(sections[name].held[line], minors) {
				fmt.Fprintln(out, line+mark)
			}
		}
	}
	return nil
}

func (s *section) add(line, before string, minor int) {
	if s.held[line] == nil {
		s.held[line] = map[int]bool{}
		s.order = slices.Insert(s.order, slices.Index(s.order, before)+1, line)
	}
	s.held[line][minor] = true
}

// marks are the stretches of releases that hold a line; one empty mark for all of them.
func marks(held map[int]bool, minors []int) []string {
	var found []string
	first, last := minors[0], minors[len(minors)-1]
	for i := 0; i < len(minors); i++ {
		if !held[minors[i]] {
			continue
		}
		from := minors[i]
		for i+1 < len(minors) && held[minors[i+1]] {
			i++
		}
		switch until := minors[i]; {
		case from == first && until == last:
			found = append(found, "")
		case until == last:
			found = append(found, fmt.Sprintf(" @%d", from))
		default:
			found = append(found, fmt.Sprintf(" @%d-%d", from, until))
		}
	}
	return found
}
