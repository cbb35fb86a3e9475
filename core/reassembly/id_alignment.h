#ifndef COREFLEET_CORE_REASSEMBLY_ID_ALIGNMENT_H_
#define COREFLEET_CORE_REASSEMBLY_ID_ALIGNMENT_H_

#include <vector>

#include "core/meminspect/region_ids.h"
#include "core/reassembly/id_scores.h"
#include "core/reassembly/piece.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Program headers carry no names, and ids are not in them. This finds out which meminspect id each one must
// be: the headers stand in ascending id order as long as nothing was registered late, so their sequence is
// aligned with the ids 3 to 200. What counts, heaviest first: VMCOREINFO's symbols at a header's address,
// sizes that a series prescribes for an id, sizes of the regions received under an id. So one region missing,
// cut or renamed leaves every other header's id as it was.
//
// Fills Slot::id where it can be told and returns the series that explains the headers best, kUnknown when
// two explain them equally well.
MeminspectSeries AlignIds(const std::vector<Piece>& pieces, const Vmcoreinfo& vmcoreinfo,
                          std::vector<Slot>* slots);

// kmemdump RFC v1 numbers nothing and registers in no fixed order: names are all it has. True for a set whose
// files carry such names.
bool IsRfc1(const std::vector<Piece>& pieces);
// Gives its pieces the ids that meminspect v1 has for the same names, so that they are known by them. Names
// that stand for two regions get none.
void NameRfc1Pieces(std::vector<Piece>* pieces);
// Fills Slot::id, in v1's numbers, by address and by sizes that only one region has.
void AlignByEvidence(const std::vector<Piece>& pieces, const Vmcoreinfo& vmcoreinfo,
                     std::vector<Slot>* slots);

// The series by the names and ids received alone, for sets without a header.
MeminspectSeries SeriesOfNames(const std::vector<Piece>& pieces);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_ID_ALIGNMENT_H_
