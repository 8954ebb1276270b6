"""An action for REAPER: sound for the selected video item. Standard library only.

`generate_spatial_audio.py` is the script that REAPER loads; it runs in REAPER's own process, where
nothing of OmniAudio Studio is but this folder and the worker's client.
"""
