"""mini.root: some hundred real events in NanoAOD's layout, for the queries of queries/adl and queries/nano.

The samples that coffea ships differ in their columns and in how these are counted. Here the events of four of them are
put in one tree, Events, with the columns that the queries read; what a sample has not is 0, false or, of genWeight, 1.
Jet_btag is Jet_btagDeepFlavB under the name that the ADL benchmark uses. hit, which belongs to no collection, is Jet_pt.

usage: mini.py DATA_DIR OUT_DIR      writes OUT_DIR/mini.root
"""

import atexit
import functools
import glob
import sys
import tempfile

import awkward
import numpy as np
import uproot

SAMPLES = ("nano_dimuon", "nano_dy", "nano_tt_v12", "nano_tt_v15")
KINEMATICS = {"pt": np.float32, "eta": np.float32, "phi": np.float32, "mass": np.float32}
LEPTON = KINEMATICS | {"charge": np.int32}
COLLECTIONS = {
    "Jet": KINEMATICS | {"btag": np.float32, "btagDeepFlavB": np.float32, "hadronFlavour": np.int32},
    "Muon": LEPTON | {"mediumId": np.bool_, "tightId": np.bool_, "pfRelIso04_all": np.float32},
    "Electron": LEPTON | {"cutBased": np.int32},
}
FLAT = {"MET_pt": np.float32, "MET_phi": np.float32, "MET_significance": np.float32, "PV_npvs": np.int32,
        "genWeight": np.float32, "HLT_IsoMu24": np.bool_}


def column(tree, name, kind, like):
    """A column as the queries call it; what stands for it if the sample has none has the shape of like."""
    name = "Jet_btagDeepFlavB" if name == "Jet_btag" else name
    for there in (name, f"PF{name}"):
        if there in tree:
            return awkward.values_astype(tree[there].array(), kind)
    stand_in = awkward.zeros_like(tree[like].array()) + (1 if name == "genWeight" else 0)
    return awkward.values_astype(stand_in, kind)


def events_of(path):
    tree = uproot.open(path)["Events"]
    columns = {name: column(tree, name, kind, "PV_npvs") for name, kind in FLAT.items()}
    columns["hit"] = column(tree, "Jet_pt", np.float32, "Jet_pt")
    for collection, members in COLLECTIONS.items():
        columns[collection] = awkward.zip({member: column(tree, f"{collection}_{member}", kind, f"{collection}_pt")
                                           for member, kind in members.items()})
    return columns


def make(data_dir, out_dir):
    """Writes the file and gives its path."""
    paths = [next(iter(glob.glob(f"{data_dir}/**/{name}.root", recursive=True))) for name in SAMPLES]
    parts = [events_of(path) for path in paths]
    columns = {name: awkward.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns |= {name: awkward.to_numpy(columns[name]) for name in FLAT}
    types = {name: array.dtype if name in FLAT else array.type.content for name, array in columns.items()}
    path = f"{out_dir}/mini.root"
    with uproot.recreate(path) as file:
        file.mktree("Events", types, field_name=lambda outer, inner: f"{outer}_{inner}")
        file["Events"].extend(columns)
    return path


@functools.cache
def made(data_dir):
    """The path of a file that is there until the program ends."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return make(data_dir, folder.name)


if __name__ == "__main__":
    print(make(sys.argv[1], sys.argv[2]))
